// Structures by value: in registers, in memory, returned through a hidden pointer, packed, with bit fields.
// flags: -O0 | -O2
// stdout: 3 7.5 a
// stdout: 55 5 -3 9
#include <stdio.h>

struct small {
  int a;
  float b;
  char c;
};
struct big {
  long values[10];
};
#pragma pack(1)
struct packed {
  char x;
  long y;
};
#pragma pack()
struct bits {
  unsigned a : 3;
  signed b : 4;
  unsigned long c : 33;
};

__attribute__((noinline)) struct small make(int a, float b, char c) { return (struct small){a, b, c}; }
__attribute__((noinline)) struct big fill(struct big big) {
  for (int i = 0; i < 10; i++)
    big.values[i] += i + 1;
  return big;
}

int main(void) {
  struct small s = make(3, 7.5f, 'a');
  printf("%d %g %c\n", s.a, (double)s.b, s.c);
  struct big big = fill((struct big){{0}});
  long sum = 0;
  for (int i = 0; i < 10; i++)
    sum += big.values[i];
  volatile struct bits bits = {5, -3, 0x1ffffffff};
  struct packed packed = {1, 8};
  printf("%ld %u %d %d\n", sum, bits.a, bits.b, (int)(packed.x + packed.y));
  return sizeof packed != 9 || bits.c != 0x1ffffffff;
}
