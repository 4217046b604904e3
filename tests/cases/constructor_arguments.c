// Constructors are given argc, argv and envp, as glibc gives them.
// skip-lli: calls constructors without arguments
// arg: one
// stdout: constructor 2 one 1
#include <stdio.h>

__attribute__((constructor)) static void construct(int argc, char **argv, char **envp) {
  // In a library opened late these are the arguments of the process, with the library's name before them.
  printf("constructor %d %s %d\n", argc > 2 ? argc - 1 : argc, argv[argc - 1], envp != 0);
}

int main(void) { return 0; }
