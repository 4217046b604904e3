// The smallest program: one import, one string.
// flags: -O0 | -O1 | -O2 | -O3 | -Os | -Oz
// stdout: hello, world
#include <stdio.h>

int main(void) {
  printf("hello, %s\n", "world");
  return 0;
}
