// __muloti4 is in compiler-rt only: clang -O0 calls it for checked 128-bit multiplication unless it expands it inline.
#include <stdio.h>

static volatile __int128 a = (__int128)1 << 90, b = 12345;

int main(void) {
  __int128 product;
  printf("%d\n", __builtin_mul_overflow(a, b, &product));
  printf("%d\n", __builtin_mul_overflow(a, a, &product));
  return 0;
}
