// extra-archive: unused.c second.c first.c
// extra-module: late.c
// extra-archive: third.c common.c
// skip-lli: it takes members for weak references, and none for common symbols
// stdout: first 1 second 2 third 3
// stdout: not taken: weakly 0, unused 1
// stdout: late 42, common 9
//
// Members are taken only if something needs them, whatever their order in the archive; a weak reference takes nothing; a module behind
// an archive may need what is in it; a common symbol is replaced by a member's definition.
#include <stdio.h>

int first(void);
int third(void);
int late(void);
int weakly_wanted(void) __attribute__((weak));
int was_unused_taken;
__attribute__((common)) int shared;

int main(void) {
  printf("first %d second %d third %d\n", first() / 10, first() % 10, third());
  printf("not taken: weakly %d, unused %d\n", weakly_wanted ? weakly_wanted() : 0, !was_unused_taken);
  printf("late %d, common %d\n", late(), shared);
  return 0;
}
