// The 80-bit type, in x87 registers and through varargs.
// flags: -O0 | -O2
#include <math.h>
#include <stdio.h>

static volatile long double third = 1.0L / 3;

long double power(long double base, int exponent) { return exponent ? base * power(base, exponent - 1) : 1; }

int main(void) {
  printf("%.21Lg %zu\n", third, sizeof third);
  printf("%.21Lg %.21Lg\n", power(1 + third, 100), sqrtl(third));
  printf("%lld %.21Lg\n", (long long)(third * 1e18L), (long double)0xfffffffffffffff1ull);
  return 0;
}
