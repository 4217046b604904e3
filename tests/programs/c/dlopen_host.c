/* The smallest host of a shared library: `dlopen_host LIBRARY [ARGS…]` runs the library's `main`.
 *
 * This is what the system's own loader costs for the same code. Everything is bound at once, as a JIT would have it.
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) {
    fprintf(stderr, "dlopen_host: %s\n", argc > 1 ? dlerror() : "no library given");
    return 125;
  }
  int (*entry)(int, char **) = (int (*)(int, char **))dlsym(library, "main");
  if (entry == NULL) {
    fprintf(stderr, "dlopen_host: %s\n", dlerror());
    return 125;
  }
  return entry(argc - 1, argv + 1);
}
