// Addresses of the module's functions go out to the C library and are called from there.
// stdout: 1 2 3 5 8 13 21 34
// stdout: found 13
// stdout: 34 21 13 8 5 3 2 1
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

static int up(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int down(const void *a, const void *b) { return up(b, a); }

static void show(const int *numbers, int count) {
  for (int i = 0; i < count; i++)
    printf("%d%c", numbers[i], i + 1 < count ? ' ' : '\n');
}

int main(void) {
  int numbers[] = {34, 1, 13, 2, 21, 3, 8, 5}, wanted = 13;
  qsort(numbers, 8, sizeof *numbers, up);
  show(numbers, 8);
  int *found = bsearch(&wanted, numbers, 8, sizeof *numbers, up);
  printf("found %d\n", found ? *found : -1);
  qsort(numbers, 8, sizeof *numbers, down);
  show(numbers, 8);
  return 0;
}
