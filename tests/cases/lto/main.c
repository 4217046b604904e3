// larder-flags: --lto
// extra-module: weak.c
// extra-object: object.c clang -O1 -fPIC
// extra-archive: -emit-llvm unused.c member.c
// extra-module: late.c
// skip-lli: it takes bitcode in archives for objects
// stdout: inlined 42, member 7
// stdout: strong beats weak: object, first weak: object, common 30
// stdout: called back 12
// stdout: start 1 2 3
//
// Modules, an object and an archive of bitcode, optimised as one module: names resolve across objects as without that.
#include <stdio.h>

int by_weak(int);
int member(void);
const char *strong_in_object(void);
const char *first_weak(void);
int through_object(int (*)(int), int);
extern int common_value[];
int order[3], order_count;

__attribute__((constructor)) static void first(void) { order[order_count++] = 1; }
int called_by_name(int x) { return x + 2; }

int main(void) {
  printf("inlined %d, member %d\n", by_weak(21), member());
  printf("strong beats weak: %s, first weak: %s, common %d\n", strong_in_object(), first_weak(), common_value[1]);
  printf("called back %d\n", through_object(called_by_name, 5));
  printf("start %d %d %d\n", order[0], order[1], order[2]);
  return 0;
}
