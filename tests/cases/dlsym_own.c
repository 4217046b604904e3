// A program that looks for its own names: by default, by its own handle, next behind itself; shadowed names, variables, thread-local ones.
// flags: -O1 -rdynamic | -O0 -rdynamic -fno-pic
// stdout: default 1 handle 1 variable 1 thread 1
// stdout: own abs 42, next abs 3
// stdout: missing 1 1, then 1
// stdout: hidden 0
// skip-lli: functions of LLVM's JIT are unknown to the dynamic linker
// skip-dlopen: the host opens the library locally, so its names are not among those searched by default
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int counter = 7;
_Thread_local int own_thread = 5;
int twice(int x) { return 2 * x; }
__attribute__((visibility("hidden"))) int concealed(int x) { return x; }
int abs(int x) { (void)x; return 42; }

int main(int argc, char **argv) {
  (void)argv;
  void *self = dlopen(NULL, RTLD_NOW);
  int (*found)(int) = (int (*)(int))dlsym(RTLD_DEFAULT, "twice");
  own_thread += argc;
  int *mine = dlsym(self, "own_thread");
  printf("default %d handle %d variable %d thread %d\n", found && found(4) == 8 && found == twice,
         dlsym(self, "twice") == (void *)twice, dlsym(RTLD_DEFAULT, "counter") == (void *)&counter,
         mine == &own_thread && *mine == 6);
  int (*own)(int) = (int (*)(int))dlsym(RTLD_DEFAULT, "abs");
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "abs");
  printf("own abs %d, next abs %d\n", own(-3), next(-3));
  int missing = dlsym(RTLD_DEFAULT, "no_such_name") == NULL;
  int said = dlerror() != NULL;
  dlsym(RTLD_DEFAULT, "no_such_name");
  dlsym(RTLD_DEFAULT, "twice");
  printf("missing %d %d, then %d\n", missing, said, dlerror() == NULL);
  printf("hidden %d\n", dlsym(self, "concealed") != NULL || concealed(0));
  return 0;
}
