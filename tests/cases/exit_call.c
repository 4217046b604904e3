// exit from the depth of a call runs the handlers and flushes the streams.
// skip-lli: exit leaves lli before the handlers of the program
// exit: 42
// stdout: before
// stdout: handler
#include <stdio.h>
#include <stdlib.h>

static void handler(void) { puts("handler"); }

__attribute__((noinline)) static void deep(int depth) {
  if (depth == 0)
    exit(42);
  deep(depth - 1);
  puts("never");
}

int main(void) {
  atexit(handler);
  puts("before");
  deep(5);
  return 1;
}
