// Streams are flushed after the last destructor, and a handler may register another.
// skip-lli: runs the handlers after the destructors
// stdout: first
// stdout: second
// stdout: destructor, no line end
#include <stdio.h>
#include <stdlib.h>

static void second(void) { puts("second"); }
static void first(void) {
  puts("first");
  atexit(second);
}
__attribute__((destructor)) static void last(void) { printf("destructor, no line end\n"); }

int main(void) {
  atexit(first);
  return 0;
}
