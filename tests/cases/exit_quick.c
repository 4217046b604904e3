// quick_exit runs at_quick_exit's handlers, last one first, and no others.
// skip-lli: finds only what the dynamic symbol tables have, and at_quick_exit is in libc_nonshared.a
// exit: 5
// stdout: second
// stdout: first
#include <stdio.h>
#include <stdlib.h>

static void first(void) {
  puts("first");
  fflush(stdout);
}
static void second(void) { puts("second"); }
static void never(void) { puts("never"); }

int main(void) {
  at_quick_exit(first);
  at_quick_exit(second);
  atexit(never);
  quick_exit(5);
}
