// 256 MiB of zeros: address space, not file, and not memory until touched.
// stdout: 0 1 2 3
#include <stdio.h>

#define SIZE (256u << 20)
char block[SIZE];
static int after;

int main(void) {
  volatile char *p = block;
  int zero = p[0] + p[SIZE / 2] + p[SIZE - 1] + after;
  p[0] = 1, p[SIZE / 2] = 2, p[SIZE - 1] = 3;
  printf("%d %d %d %d\n", zero, block[0], p[SIZE / 2], p[SIZE - 1]);
  return 0;
}
