// Integers of odd widths, division of up to 128 bits included, and of widths where it is expanded inline.
// flags: -O0 | -O2
#include <stdio.h>

typedef _BitInt(37) odd;
typedef unsigned _BitInt(128) wide;
typedef unsigned _BitInt(517) huge;

static volatile odd small = -12345678901wb;
static odd table[3] = {1wb, -2wb, 68719476735wb};
static huge product(huge a, unsigned n) {
  while (n > 1)
    a *= n--;
  return a;
}
__attribute__((noinline)) static void show(huge value) {
  for (int i = 16; i >= 0; i--)
    printf("%08x", (unsigned)(value >> (i * 32)));
  puts("");
}

int main(void) {
  odd x = small;
  printf("%lld %lld %lld\n", (long long)(x * 3), (long long)(x / 7), (long long)(table[2] + table[0]));
  wide w = (wide)1 << 127;
  w = w / 10000000000uwb + w % 12345678901uwb;
  printf("%016llx%016llx\n", (unsigned long long)(w >> 64), (unsigned long long)w);
  huge f = product(1, 90);
  show(f);
  show(f / product(1, 80));
  show(f % (product(1, 40) + 1));
  show(-f >> 3);
  printf("%d %d\n", f > product(1, 89), (int)sizeof(huge));
  return 0;
}
