// Function multiversioning: an ifunc whose resolver runs at load.
// flags: -O2
// skip-lli: orc knows no ifuncs
// stdout: 499500
#include <stdio.h>

__attribute__((target_clones("avx2", "default"))) int sum(const int *numbers, int count) {
  int sum = 0;
  for (int i = 0; i < count; i++)
    sum += numbers[i];
  return sum;
}

int main(void) {
  static int numbers[1000];
  for (int i = 0; i < 1000; i++)
    numbers[i] = i;
  printf("%d\n", sum(numbers, 1000));
  return 0;
}
