// extra-module: registering.c
// extra-module: registering.c
// flags: -O0 | -O2
// skip-lli: it takes no module twice
// stdout: calls 128 128
//
// Two modules with the same bytes, large enough to be compiled in parts: each has its own of everything that is local.
#include <stdio.h>

int module_count, calls[2];

int main(void) {
  printf("calls %d %d\n", calls[0], calls[1]);
  return module_count != 2;
}
