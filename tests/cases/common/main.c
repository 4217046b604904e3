// Tentative definitions are one variable; the largest size and alignment win.
// flags: -O1 -fcommon
// stdout: 40 1 0
#include <stdint.h>
#include <stdio.h>

char shared[64] __attribute__((aligned(64)));
int counter;
void add(int);

int main(void) {
  add(30);
  counter += 10;
  printf("%d %d %d\n", counter, shared[0], (int)((uintptr_t)shared % 64));
  return 0;
}
