// exit called by a destructor: its code counts, and destructors that are left are not run any more.
// exit: 6
// stdout: main
// stdout: first destructor
// skip-lli: it runs the destructors in the order of the constructors
// skip-dlopen: the host's own exit code is decided before the library is finalised
#include <stdio.h>
#include <stdlib.h>

__attribute__((destructor(101))) static void left(void) { puts("never"); }
__attribute__((destructor)) static void first(void) {
  puts("first destructor");
  exit(6);
}
int main(void) {
  puts("main");
  return 0;
}
