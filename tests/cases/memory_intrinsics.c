// memcpy, memmove, memset and memcmp: intrinsics that become code or calls of the C library.
// flags: -O0 | -O2 | -Oz
#include <stdio.h>
#include <string.h>

struct large {
  int values[1000];
};
static struct large a, b;
__attribute__((noinline)) static struct large copy(const struct large *from) { return *from; }

int main(void) {
  volatile size_t length = 37;
  for (int i = 0; i < 1000; i++)
    a.values[i] = i * i;
  b = copy(&a);
  memmove(b.values + 1, b.values, 500 * sizeof(int));
  memset(b.values + 600, 0x5a, length);
  memcpy(b.values + 900, a.values + 3, length);
  unsigned sum = 0;
  for (int i = 0; i < 1000; i++)
    sum = sum * 31 + (unsigned)b.values[i];
  printf("%u %d %d\n", sum, memcmp(&a, &b, sizeof a) != 0, memcmp(&a, &a, length));
  return 0;
}
