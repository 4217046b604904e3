// A module with a PIE level: its own data is local, the C library's is not.
// flags: -O0 -fpie | -O2 -fpie | -O2 -fPIE -fno-semantic-interposition
// stdout: 6 1
#include <stdio.h>

int number = 5;
int bump(void) { return ++number; }

int main(void) {
  fprintf(stdout, "%d %d\n", bump(), stderr != NULL);
  return 0;
}
