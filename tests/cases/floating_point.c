// Formatting and the mathematical library, which is bound by name and not compiled in.
// flags: -O0 | -O2
#include <float.h>
#include <math.h>
#include <stdio.h>

int main(void) {
  volatile double x = 0.1, zero = 0;
  printf("%.17g %a %e %g\n", x, x, x * 1e300, x / 3);
  printf("%g %g %g %d\n", 1 / zero, -1 / zero, zero / zero, isnan(zero / zero));
  printf("%.17g %.17g %.17g\n", sin(x), cos(x), tan(x));
  printf("%.17g %.17g %.17g %.17g\n", exp(x), log(x), pow(x, x), fmod(7.5, 2 + x));
  printf("%.17g %.17g %.17g\n", floor(x - 1), ceil(x), rint(x * 25));
  printf("%.9g %.9g\n", (double)sinf((float)x), (double)sqrtf((float)x));
  printf("%.17g %.17g\n", fma(x, x, -x), hypot(3 * x, 4 * x));
  printf("%ld %llu\n", lround(x * 1234567), (unsigned long long)(x * 1e19));
  printf("%.17g %d\n", nextafter(x, 1), fpclassify(DBL_MIN / 2) == FP_SUBNORMAL);
  return 0;
}
