// __float128: every operation is a call to libgcc.
// stdout: 333333333333333333
// stdout: 1
#include <stdio.h>

static volatile __float128 one = 1, three = 3;

int main(void) {
  __float128 third = one / three;
  printf("%lld\n%d\n", (long long)(third * 1e18), third * three <= one);
  return 0;
}
