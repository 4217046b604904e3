// setjmp and longjmp, over frames of the C library too.
// flags: -O0 | -O2
// stdout: 0 1 2 3
// stdout: out of qsort
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf back;
static int jump(const void *a, const void *b) { longjmp(back, 9); }
__attribute__((noinline)) static void deep(int depth, int value) {
  if (depth)
    deep(depth - 1, value);
  else
    longjmp(back, value);
}

int main(void) {
  volatile int count = 0;
  int value = setjmp(back);
  printf("%d%c", value, value < 3 ? ' ' : '\n');
  if (value < 3) {
    count++;
    deep(10, value + 1);
  }
  int numbers[3] = {3, 2, 1};
  if (setjmp(back) == 9)
    puts("out of qsort");
  else
    qsort(numbers, 3, sizeof *numbers, jump);
  return count != 3;
}
