// Vector code up to AVX-512: wide constants, masks, gathers, loops, values passed in the wide registers and kept over calls.
// cpu: avx512f avx512bw avx512dq avx512vl
// flags: -O0 -march=x86-64-v4 | -O3 -march=x86-64-v4 -mprefer-vector-width=512 | -O3 -march=x86-64-v3 | -O3 -march=x86-64-v2 | -O3 -march=native
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef double __attribute__((vector_size(64))) eight;
typedef int __attribute__((vector_size(64))) sixteen;
typedef unsigned char __attribute__((vector_size(64))) bytes;

__attribute__((noinline)) static eight polynomial(eight x) {
  return ((x * 0.5 + (eight){1, 2, 3, 4, 5, 6, 7, 8}) * x + 0.25) * x - 3;
}
__attribute__((noinline)) static sixteen select(sixteen a, sixteen b) { return ((a > b) & a) | (~(a > b) & (b - a)); }
__attribute__((noinline)) static bytes turn(bytes x) {
  return __builtin_shufflevector(x, x, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44,
                                 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22,
                                 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}
static float numbers[1003];
static int places[1003];
static unsigned char letters[1003];

__attribute__((noinline)) static float gather(const float *from, const int *at, int count) {
  float sum = 0;
#pragma clang loop vectorize(enable) interleave(enable)
  for (int i = 0; i < count; i++)
    sum += (float)(int)(from[at[i]] * 2);
  return sum;
}
__attribute__((noinline)) static int letters_above(const unsigned char *from, int count, int limit) {
  int found = 0;
  for (int i = 0; i < count; i++)
    found += from[i] > limit ? from[i] & 15 : 1;
  return found;
}

int main(void) {
  eight x = {0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4};
  eight before = x * 3;
  eight y = polynomial(x);
  double all = 0;
  for (int i = 0; i < 8; i++)
    printf("%g ", y[i]), all += before[i];
  printf("%g\n", all);
  sixteen a, b;
  for (int i = 0; i < 16; i++)
    a[i] = i * 7 % 16, b[i] = 15 - i;
  a = select(a, b);
  for (int i = 0; i < 16; i++)
    printf("%d ", a[i]);
  bytes c;
  for (int i = 0; i < 64; i++)
    c[i] = (unsigned char)(i + 32);
  c = turn(c);
  printf("%.64s\n", (char *)&c);
  for (int i = 0; i < 1003; i++)
    numbers[i] = (float)(i % 17), places[i] = i * 389 % 1003, letters[i] = (unsigned char)(i * 31);
  printf("%g %d\n", gather(numbers, places, 1003), letters_above(letters, 1003, 100));
  return 0;
}
