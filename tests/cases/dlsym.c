// A program that loads libraries itself: dlopen, dlsym by default and next, dladdr of an import.
// stdout: 2 1 1
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int main(void) {
  void *library = dlopen("libm.so.6", RTLD_NOW);
  double (*root)(double) = (double (*)(double))dlsym(library, "sqrt");
  int (*put)(const char *) = (int (*)(const char *))dlsym(RTLD_DEFAULT, "puts");
  Dl_info info;
  printf("%g %d %d\n", root(4), put == puts, dladdr((void *)(__UINTPTR_TYPE__)put, &info) != 0);
  return dlclose(library);
}
