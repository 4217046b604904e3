// The lists of old compilers beside those of new ones: .ctors and .dtors are read backwards, and their numbers count down.
// skip-lli: it runs what llvm.global_ctors lists, and no other list
// skip-dlopen: lld leaves .ctors to a crtbegin.o that reads it, which modern systems don't have
#include <stdio.h>

#define SAYS(name) static void name(void) { puts(#name); }
typedef void function(void);

SAYS(begin_old_1)
SAYS(begin_old_2)
SAYS(begin_numbered)
SAYS(end_old_1)
SAYS(end_old_2)
SAYS(end_numbered)
__attribute__((section(".ctors"), used)) static function *const begins[] = {begin_old_1, begin_old_2};
__attribute__((section(".dtors"), used)) static function *const ends[] = {end_old_1, end_old_2};
__attribute__((section(".ctors.65434"), used)) static function *const begins_numbered[] = {begin_numbered};
__attribute__((section(".dtors.65434"), used)) static function *const ends_numbered[] = {end_numbered};
__attribute__((constructor(101))) static void begin_101(void) { puts("begin_101"); }
__attribute__((constructor(102))) static void begin_102(void) { puts("begin_102"); }
__attribute__((destructor(101))) static void end_101(void) { puts("end_101"); }
__attribute__((destructor(102))) static void end_102(void) { puts("end_102"); }
int main(void) {
  puts("main");
  return 0;
}
