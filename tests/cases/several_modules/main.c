// extra-module: middle.c
// extra-module: last.ll
// skip-lli: it runs the constructors of its extra modules in another order than that of the command line
// stdout: start 1 2 3
// stdout: weak from middle, common 40, strong 7
// stdout: thread 5 6
// stdout: same inline function: 1
//
// Three modules that are not linked before larder sees them: weak, common, thread-local, COMDAT-like and constructor symbols
// resolve across them as in a native link.
#include <stdio.h>

extern int middle_value(void);
extern int last_value(void);
extern _Thread_local int counter;
extern int (*middle_inline(void))(void);
int order[3], order_count;

__attribute__((common)) int shared_common;
__attribute__((weak)) int strong_elsewhere(void) { return -1; }
int weak_elsewhere(void) __attribute__((weak));
int nowhere(void) __attribute__((weak));

__attribute__((constructor)) static void first(void) { order[order_count++] = 1; }

int main(void) {
  printf("start %d %d %d\n", order[0], order[1], order[2]);
  shared_common += 10;
  printf("weak from %s, common %d, strong %d\n", weak_elsewhere() ? "middle" : "nobody", middle_value(), strong_elsewhere());
  counter++;
  printf("thread %d %d\n", counter, last_value());
  printf("same inline function: %d\n", middle_inline()() == 3 && !nowhere);
  return 0;
}
