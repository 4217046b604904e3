// Complex numbers: the ABI's register pairs, and multiplication and division that compiler-rt or libgcc bring.
#include <complex.h>
#include <stdio.h>

static volatile double complex z = 3 + 4 * I;
static volatile float complex f = 1 - 2 * I;

int main(void) {
  double complex w = z * (z + 1) / (z - 2 * I);
  printf("%.15g %.15g %.15g\n", creal(w), cimag(w), cabs(z));
  float complex g = f * f / (f + 3);
  printf("%.7g %.7g\n", (double)crealf(g), (double)cimagf(g));
  double complex e = cexp(I * 1.0) + csqrt(z);
  printf("%.12g %.12g\n", creal(e), cimag(e));
  return 0;
}
