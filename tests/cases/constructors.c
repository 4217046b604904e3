// Constructors by priority, then in order; destructors the other way round; atexit's handlers in between.
// skip-lli: runs the destructors in the order of the constructors
// stdout: constructor 101
// stdout: constructor 5000
// stdout: constructor, first without a number
// stdout: constructor, second without a number
// stdout: main
// stdout: handler, registered in main
// stdout: handler, registered in a constructor
// stdout: destructor, second without a number
// stdout: destructor, first without a number
// stdout: destructor 5000
// stdout: destructor 101
#include <stdio.h>
#include <stdlib.h>

static void late(void) { puts("handler, registered in a constructor"); }
static void early(void) { puts("handler, registered in main"); }

__attribute__((constructor)) static void c1(void) { puts("constructor, first without a number"); }
__attribute__((constructor(5000))) static void c5000(void) { puts("constructor 5000"); }
__attribute__((constructor)) static void c2(void) { puts("constructor, second without a number"); }
__attribute__((constructor(101))) static void c101(void) {
  puts("constructor 101");
  atexit(late);
}
__attribute__((destructor)) static void d1(void) { puts("destructor, first without a number"); }
__attribute__((destructor(101))) static void d101(void) { puts("destructor 101"); }
__attribute__((destructor)) static void d2(void) { puts("destructor, second without a number"); }
__attribute__((destructor(5000))) static void d5000(void) { puts("destructor 5000"); }

int main(void) {
  puts("main");
  atexit(early);
  return 0;
}
