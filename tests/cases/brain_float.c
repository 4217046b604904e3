// __bf16 where the processor converts to it (elsewhere libgcc must, which has it from version 13 on), and vectors of it.
// cpu: avx512_bf16 avx512vl avx512bw
// flags: -O0 -mavx512bf16 -mavx512vl -mavx512bw | -O2 -mavx512bf16 -mavx512vl -mavx512bw
#include <stdio.h>
#include <string.h>

typedef __bf16 __attribute__((vector_size(16))) eight;
static volatile __bf16 a = 1.5f, b = 3.0f;
static __bf16 table[4] = {1.0f, 0.333f, 65280.0f, 1e30f};
__attribute__((noinline)) static __bf16 mix(__bf16 x, __bf16 y) { return x * y + x / y; }
__attribute__((noinline)) static eight scale(eight x) { return x * x; }

int main(void) {
  printf("%g %g\n", (double)(float)mix(a, b), (double)(float)(a - b));
  for (int i = 0; i < 4; i++) {
    unsigned short bits;
    memcpy(&bits, &table[i], 2);
    printf("%04x %g ", bits, (double)(float)table[i]);
  }
  eight v = scale((eight){1, 2, 3, 4, 5, 6, 7, 8});
  for (int i = 0; i < 8; i++)
    printf("%g ", (double)(float)v[i]);
  puts("");
  return 0;
}
