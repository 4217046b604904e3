// Functions of .preinit_array come before all constructors, and get the program's arguments too.
// arg: word
// stdout: before 2 word
// stdout: second before
// stdout: constructor 101
// stdout: constructor
// stdout: main
// skip-lli: it runs what llvm.global_ctors lists, and no other list
// skip-dlopen: a shared library can't have a .preinit_array
#include <stdio.h>

static void before(int argc, char **argv, char **environment) { printf("before %d %s\n", argc, environment ? argv[1] : "?"); }
static void second(int argc, char **argv, char **environment) { (void)argc, (void)argv, (void)environment, puts("second before"); }
typedef void function(int, char **, char **);
__attribute__((section(".preinit_array"), used)) static function *list[] = {before, second};
__attribute__((constructor)) static void construct(void) { puts("constructor"); }
__attribute__((constructor(101))) static void construct_early(void) { puts("constructor 101"); }
int main(void) {
  puts("main");
  return 0;
}
