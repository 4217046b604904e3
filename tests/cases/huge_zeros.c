// Five gibibytes of zeros in the small code model: variables that are too large for its distances are reached by longer ones.
// flags: -O0 | -O2
// larder-only: native linkers and lli have no room for it in this code model
// stdout: 1 2 3 4 42 0
// stdout: 2147483648 1
#include <stdio.h>
#define GIB (1ul << 30)
char zeros[3 * GIB + 5];
static char others[2 * GIB];
int small = 42;
static int after;
long *pointers[] = {(long *)&zeros[3 * GIB], (long *)others};
__attribute__((noinline)) static char *at(unsigned long i) { return &zeros[i]; }
int main(void) {
  *at(0) = 1, *at(3 * GIB) = 2, others[2 * GIB - 1] = 3, after = 4;
  printf("%d %d %d %d %d %d\n", zeros[0], *(char *)pointers[0], others[2 * GIB - 1], after, small, zeros[GIB]);
  printf("%ld %d\n", (long)(&zeros[3 * GIB] - at(GIB)), (char *)pointers[1] == others);
}
