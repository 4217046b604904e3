// A function chosen at load time by a resolver (ifunc) is refused by name, at save time.
// flags: -O2
// larder-error: sum
// larder-error: ifunc
#include <stdio.h>

__attribute__((target_clones("avx2", "default"))) int sum(const int *numbers, int count) {
  int sum = 0;
  for (int i = 0; i < count; i++)
    sum += numbers[i];
  return sum;
}

int main(void) {
  static int numbers[1000];
  printf("%d\n", sum(numbers, 1000));
  return 0;
}
