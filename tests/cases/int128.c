// 128-bit arithmetic: multiplication inline, division by __udivti3 and its kin, which libgcc offers.
// flags: -O0 | -O2
#include <stdint.h>
#include <stdio.h>

static volatile unsigned __int128 big = ((unsigned __int128)0x123456789abcdef0 << 64) | 0xfedcba9876543210;
static volatile __int128 negative = -(((__int128)1 << 100) + 12345);
static volatile uint64_t divisor = 0xdeadbeef;

static void show(unsigned __int128 value) {
  printf("%016llx%016llx\n", (unsigned long long)(value >> 64), (unsigned long long)value);
}

int main(void) {
  show(big * 3);
  show(big / divisor);
  show(big % divisor);
  show((unsigned __int128)(negative / (__int128)divisor));
  show((unsigned __int128)(negative % (__int128)divisor));
  show(big << (divisor & 31));
  printf("%.17g %.17g\n", (double)big, (double)negative);
  show((unsigned __int128)(double)(big >> 3));
  return 0;
}
