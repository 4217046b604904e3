// A function with its own target, called only where the CPU has it: the image must not need the feature.
// skip-lli: does not find __cpu_model of libgcc
// flags: -O2
// stdout: 1000
#include <stdio.h>

typedef int eight __attribute__((vector_size(32)));

__attribute__((target("avx2"), noinline)) static int sum_avx2(const int *numbers) {
  eight sum = {0};
  for (int i = 0; i < 1000; i += 8)
    sum += *(const eight *)(numbers + i);
  return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}
__attribute__((noinline)) static int sum_baseline(const int *numbers) {
  int sum = 0;
  for (int i = 0; i < 1000; i++)
    sum += numbers[i];
  return sum;
}

static int numbers[1000] __attribute__((aligned(32)));

int main(void) {
  for (int i = 0; i < 1000; i++)
    numbers[i] = 1;
  __builtin_cpu_init();
  int (*sum)(const int *) = __builtin_cpu_supports("avx2") ? sum_avx2 : sum_baseline;
  printf("%d\n", sum(numbers));
  return 0;
}
