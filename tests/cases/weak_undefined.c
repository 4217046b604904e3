// A weak symbol that nobody defines is null, one that the C library has is not.
// flags: -O0 | -O2
// stdout: 0 0 1
// stdout: 0 0
#include <stdio.h>

extern int nobody_defines_this(int) __attribute__((weak));
extern int nobody_defines_that __attribute__((weak));
extern int puts(const char *) __attribute__((weak));
int (*table[])(int) = {nobody_defines_this};
int *data[] = {&nobody_defines_that};

int main(void) {
  printf("%d %d %d\n", nobody_defines_this != 0, &nobody_defines_that != 0, puts != 0);
  printf("%d %d\n", table[0] != 0, data[0] != 0);
  return 0;
}
