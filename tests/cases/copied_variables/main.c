// extra-object: by_gcc.c gcc -O2 -fPIE
// env: LARDER_CASE=before
// skip-lli: its linker has no room for copies, and the distance to the C library does not fit 32 bits
// stdout: one environment 1
// stdout: LARDER_CASE=after in 1 place
// stdout: option a with value
// stdout: option b without
// stdout: operand at 4
// stdout: through the library: Success
// stdout: both name the same stream 1
// stdout: a table of addresses agrees 1 1
// exit: 3
//
// An object that gcc compiled as it does by default reaches variables of the C library by their distance. What it writes there the library
// sees, and the other way round; and so do the program's other modules.
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;
int by_gcc(int count, char **arguments);
extern FILE **const gcc_stream;
extern char ***const gcc_environment;

int main(void) {
  printf("one environment %d\n", &environ == gcc_environment);
  setenv("LARDER_CASE", "after", 1);
  char *arguments[] = {"program", "-a", "value", "-b", "rest", NULL};
  int code = by_gcc(5, arguments);
  errno = 0;
  perror("through the library");
  printf("both name the same stream %d\n", stderr == stdout && &stderr == gcc_stream);
  FILE **streams[] = {&stdout, &stderr};
  printf("a table of addresses agrees %d %d\n", *streams[0] == stdout, streams[1] == gcc_stream);
  return code;
}
