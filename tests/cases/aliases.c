// Aliases of functions and of data; an ifunc is a case of its own.
// flags: -O0 | -O2
// stdout: 42 42 1
// stdout: 10 10 1
#include <stdio.h>

int original(void) { return 42; }
int second(void) __attribute__((alias("original")));
int number = 5;
extern int alias_number __attribute__((alias("number")));
static int (*volatile pointers[])(void) = {original, second};

int main(void) {
  printf("%d %d %d\n", original(), second(), pointers[0] == pointers[1]);
  alias_number *= 2;
  printf("%d %d %d\n", number, alias_number, &number == &alias_number);
  return 0;
}
