// exit called again by a handler of exit: the rest of the handlers runs, and the later code counts.
// exit: 4
// stdout: second
// stdout: first 4
// stdout: destructor
// skip-lli: exit leaves lli before the destructors of the program
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>

static void first(int code, void *nothing) { printf("first %d\n", nothing ? 0 : code); }
static void second(void) {
  puts("second");
  exit(4);
}
__attribute__((destructor)) static void destroy(void) { puts("destructor"); }
int main(void) {
  on_exit(first, NULL);
  atexit(second);
  return 3;
}
