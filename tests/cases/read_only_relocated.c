// Constants that hold addresses live in memory that is writable while loading only.
// skip-lli: leaves such constants writable
// signal: 11
// stdout: alpha
#include <stdio.h>

static const char *const words[] = {"alpha", "beta"};
const char *const *volatile table = words;

int main(void) {
  puts(table[0]);
  fflush(stdout);
  ((const char **)table)[0] = "changed";
  puts(table[0]);
  return 0;
}
