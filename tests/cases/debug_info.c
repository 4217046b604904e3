// A module with debug information runs like any other; what gdb makes of it is tested elsewhere.
// flags: -O0 -g | -O2 -g | -O2 -gdwarf-4 | -O1 -g1 -fdebug-types-section | -O1 -g -gsplit-dwarf | -O1 -g -gdwarf64 | -O1 -g3 -fdebug-macro -gz=zstd | -O1 -g -gembed-source -gsimple-template-names
// stdout: 24
#include <stdio.h>

struct point {
  int x, y;
};
__attribute__((noinline)) static int product(struct point p) { return p.x * p.y; }

int main(void) {
  struct point p = {4, 6};
  printf("%d\n", product(p));
  return 0;
}
