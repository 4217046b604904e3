// Vectors of the SSE baseline: constants in aligned read-only data, shuffles, conversions, passed in registers.
// flags: -O0 | -O3
#include <emmintrin.h>
#include <stdio.h>

typedef float four __attribute__((vector_size(16)));
typedef int eight __attribute__((vector_size(32)));

__attribute__((noinline)) static four mix(four a, four b) {
  return __builtin_shufflevector(a, b, 0, 5, 2, 7) * (four){1, 2, 3, 4};
}
__attribute__((noinline)) static eight add(eight a, eight b) { return a + b * (eight){1, 2, 3, 4, 5, 6, 7, 8}; }

static float numbers[1000];

int main(void) {
  four x = mix((four){1, 2, 3, 4}, (four){5, 6, 7, 8});
  printf("%g %g %g %g\n", x[0], x[1], x[2], x[3]);
  eight y = add((eight){1, 1, 1, 1, 1, 1, 1, 1}, (eight){8, 7, 6, 5, 4, 3, 2, 1});
  for (int i = 0; i < 8; i++)
    printf("%d ", y[i]);
  __m128i packed = _mm_packs_epi32(_mm_set_epi32(70000, -70000, 3, 4), _mm_setzero_si128());
  printf("%d %d\n", (short)_mm_extract_epi16(packed, 3), (short)_mm_extract_epi16(packed, 2));
  float sum = 0;
  for (int i = 0; i < 1000; i++)
    numbers[i] = (float)i * 0.5f;
  for (int i = 0; i < 1000; i++)
    sum += numbers[i];
  printf("%g\n", sum);
  return 0;
}
