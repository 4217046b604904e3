// Opens the shared library named first and calls its `main` with the rest of the arguments.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

extern char **environ;

int main(int argc, char **argv) {
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (!library) {
    fprintf(stderr, "dlopen: %s\n", argc > 1 ? dlerror() : "no library named");
    return 125;
  }
  int (*start)(int, char **, char **) = (int (*)(int, char **, char **))dlsym(library, "main");
  if (!start) {
    fprintf(stderr, "dlsym: %s\n", dlerror());
    return 125;
  }
  exit(start(argc - 1, argv + 1, environ));
}
