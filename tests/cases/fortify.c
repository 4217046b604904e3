// _FORTIFY_SOURCE: calls of __printf_chk and kin, and the abort of a caught overflow.
// flags: -O2 -D_FORTIFY_SOURCE=2
// signal: 6
// stdout: fits
#include <stdio.h>
#include <string.h>

static char buffer[8];
int main(int argc, char **argv) {
  strcpy(buffer, "fits");
  puts(buffer);
  fflush(stdout);
  memset(buffer, 'x', (size_t)argc * 9);
  return 0;
}
