// backtrace walks through the module's frames down to main's caller: unwind tables are registered.
// flags: -O0 -funwind-tables | -O2 -fasynchronous-unwind-tables
// stdout: 1
#include <execinfo.h>
#include <stdio.h>

__attribute__((noinline)) static int depth(int n) {
  if (n) {
    int found = depth(n - 1);
    asm volatile("" ::: "memory");
    return found;
  }
  void *frames[64];
  return backtrace(frames, 64);
}

int main(void) {
  int shallow = depth(0), deep = depth(20);
  printf("%d\n", deep - shallow == 20 && shallow >= 3);
  return 0;
}
