// A constructor that calls exit: main isn't reached, destructors are run.
// skip-lli: exit leaves lli before the destructors of the program
// exit: 21
// stdout: constructor
// stdout: destructor
#include <stdio.h>
#include <stdlib.h>

__attribute__((destructor)) static void destroy(void) { puts("destructor"); }
__attribute__((constructor)) static void construct(void) {
  puts("constructor");
  exit(21);
}
int main(void) {
  puts("main");
  return 0;
}
