// extra-object: nested.c gcc -O0
// extra-object: nested_optimised.c gcc -O2
// stdout: 55 110
//
// Nested functions of GNU C, which only gcc has, as long as nobody takes their address.
#include <stdio.h>

int sum_up_to(int n), optimised_sum_up_to(int n);

int main(void) {
  printf("%d %d\n", sum_up_to(10), sum_up_to(10) + optimised_sum_up_to(10));
  return 0;
}
