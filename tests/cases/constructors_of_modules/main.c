// extra-module: second.c
// extra-object: third.c
// stdout: main 101, second 101, third 101, second 200, main, second, third
// stdout: end third, second, main, second 200, third 101, second 101, main 101.
// skip-lli: it runs the constructors of its extra modules in another order than that of the command line
//
// Constructors and destructors of several modules and an object: by priority first, then in the order of the command line.
#include <stdio.h>

static const char *between = "";
void says(const char *text) {
  printf("%s%s", between, text);
  between = ", ";
}
__attribute__((constructor(101))) static void begin_101(void) { says("main 101"); }
__attribute__((constructor)) static void begin(void) { says("main"); }
__attribute__((destructor)) static void end(void) { says("main"); }
__attribute__((destructor(101))) static void end_101(void) {
  says("main 101");
  puts(".");
}
int main(void) {
  between = "\nend ";
  return 0;
}
