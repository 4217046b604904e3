// Everything whose code depends on where a program is thought to lie.

#include <stdio.h>
#include <string.h>

extern char **environ;
extern __thread int external_thread_local;
extern int __attribute__((weak)) maybe_there(int);
extern int table_outside[16];

static __thread int local_thread_local;
__thread int exported_thread_local = 3;
int exported = 1;
static int counter;
__attribute__((weak)) int replaceable = 7;
int tentative;

static int add(int x) { return counter += x; }
static int subtract(int x) { return counter -= x; }
int (*operations[])(int) = {add, subtract, maybe_there};
int *const addresses[] = {&exported, &replaceable, &tentative, table_outside};

int dispatch(int which, int x) { return operations[which](x); }

const char *name(int which) {
  switch (which) {
  case 0: return "zero";
  case 1: return "one";
  case 2: return "two";
  case 3: return "three";
  case 4: return "four";
  default: return environ[which];
  }
}

int jump(int which, int x) {
  switch (which) {
  case 0: return puts("a") + x;
  case 1: return puts("bb") * x;
  case 2: return puts("ccc") - x;
  case 3: return puts("dddd") / x;
  case 4: return puts("eeeee") % x;
  case 5: return puts("ffffff") ^ x;
  default: return x;
  }
}

int run(int x, void *to, unsigned long length) {
  local_thread_local += x;
  exported_thread_local ^= external_thread_local;
  if (maybe_there)
    x += maybe_there(x);
  memcpy(to, operations, length);
  counter += exported + replaceable + tentative + table_outside[x & 15];
  return printf("%d %s\n", dispatch(x & 1, local_thread_local), name(x));
}
