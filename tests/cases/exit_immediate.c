// _Exit runs no handler and flushes nothing.
// exit: 9
// stdout: flushed
#include <stdio.h>
#include <stdlib.h>

static void handler(void) { puts("handler"); }
__attribute__((destructor)) static void destroy(void) { puts("destructor"); }

int main(void) {
  atexit(handler);
  puts("flushed");
  fflush(stdout);
  fputs("lost", stdout);
  _Exit(9);
}
