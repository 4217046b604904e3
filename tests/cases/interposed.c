// A module may define a name that the C library has too: its own calls get its own.
// flags: -O0 -fno-builtin | -O2 -fno-builtin
// stdout: mine 3
#include <stdio.h>

int abs(int x) { return 3; }
int atoi(const char *text) { return printf("mine "), abs(-5); }
int (*volatile pointer)(const char *) = atoi;

int main(void) {
  printf("%d\n", pointer("12"));
  return 0;
}
