// Data, zeros, constants and functions aligned beyond a page, as for huge pages.
// flags: -O0 | -O2
// skip-lli: it maps segments at any page
// stdout: 0 0 0 0 0 0
// stdout: 12
#include <stdint.h>
#include <stdio.h>

#define MISALIGNED(x, align) (int)((uintptr_t)(x) % (align))

int wide __attribute__((aligned(1 << 16))) = 1;
static int wider __attribute__((aligned(1 << 20))) = 2;
static int widest __attribute__((aligned(1 << 21))) = 3;
char zeros[3] __attribute__((aligned(1 << 21)));
const int constant __attribute__((aligned(1 << 16))) = 4;
static char odd[3] = {1, 2, 3};
int *const pointers[] = {&wide, &wider, &widest};
__attribute__((aligned(1 << 16), noinline)) int function(void) { return odd[1]; }

int main(void) {
  printf("%d %d %d %d %d %d\n", MISALIGNED(&wide, 1 << 16), MISALIGNED(&wider, 1 << 20), MISALIGNED(&widest, 1 << 21),
         MISALIGNED(zeros, 1 << 21), MISALIGNED(&constant, 1 << 16), MISALIGNED(function, 1 << 16));
  printf("%d\n", *pointers[0] + *pointers[1] + *pointers[2] + constant + function() + zeros[1]);
  return 0;
}
