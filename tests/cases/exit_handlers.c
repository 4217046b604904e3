// on_exit, atexit and destructors in one order: last registered first, also those registered while exiting; on_exit hears the code.
// exit: 9
// stdout: main
// stdout: on_exit 9 word
// stdout: handler
// stdout: registered while exiting
// stdout: on_exit 9 first
// stdout: destructor
// skip-lli: exit leaves lli before the destructors of the program
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>

static void late(void) { puts("registered while exiting"); }
static void handler(void) {
  puts("handler");
  atexit(late);
}
static void hears(int code, void *word) { printf("on_exit %d %s\n", code, (char *)word); }
__attribute__((destructor)) static void destroy(void) { puts("destructor"); }
int main(void) {
  on_exit(hears, "first");
  atexit(handler);
  on_exit(hears, "word");
  puts("main");
  exit(9);
}
