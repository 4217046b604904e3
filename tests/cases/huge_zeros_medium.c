// The same in the medium code model, where native linkers have room for it, with large data and constants that have initial bytes.
// flags: -O0 -mcmodel=medium | -O2 -mcmodel=large
// skip-lli: its memory manager does not spread code and data so far
// stdout: 1 2 3 4 42 0
// stdout: 2147483648 1
// stdout: 5 6 0
#include <stdio.h>

#define GIB (1ul << 30)
char zeros[3 * GIB + 5];
static char others[2 * GIB];
int small = 42;
static int after;
long *pointers[] = {(long *)&zeros[3 * GIB], (long *)others};
int numbers[1 << 20] = {5};
const char constants[1 << 17] = {6};
static char small_zeros[100];
__attribute__((noinline)) static char *at(unsigned long i) { return &zeros[i]; }

int main(void) {
  *at(0) = 1, *at(3 * GIB) = 2, others[2 * GIB - 1] = 3, after = 4;
  printf("%d %d %d %d %d %d\n", zeros[0], *(char *)pointers[0], others[2 * GIB - 1], after, small, zeros[GIB]);
  printf("%ld %d\n", (long)(&zeros[3 * GIB] - at(GIB)), (char *)pointers[1] == others);
  printf("%d %d %d\n", numbers[0], constants[0], small_zeros[99]);
  return 0;
}
