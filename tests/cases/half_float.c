// _Float16 without F16C: conversions are calls (__extendhfsf2, __truncsfhf2).
// stdout: 1.5 0.333252
#include <stdio.h>

static volatile _Float16 a = 1.0f16, b = 3.0f16;

int main(void) {
  printf("%g %g\n", (double)(a + a / 2), (double)(a / b));
  return 0;
}
