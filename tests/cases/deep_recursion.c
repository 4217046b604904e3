// 80 000 frames in the stack that the shell grants (8 MiB), guard page never met.
// flags: -O0 | -O1
// stdout: 80000
#include <stdio.h>

__attribute__((noinline)) int down(int n) {
  volatile int kept = n;
  return n ? 1 + down(n - 1) + kept - n : 0;
}

int main(void) {
  printf("%d\n", down(80000));
  return 0;
}
