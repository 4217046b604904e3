// Data of the C library, read and written by address: stdout, environ, optind, daylight.
// flags: -O0 | -O2
// arg: -a
// arg: -b
// arg: value
// arg: rest
// stdout: a
// stdout: b=value
// stdout: 4 rest
#include <getopt.h>
#include <stdio.h>

extern FILE *stdout;
FILE *const *const address = (FILE *const *)&stdout;

int main(int argc, char **argv) {
  opterr = 0;
  for (int option; (option = getopt(argc, argv, "ab:")) != -1;)
    fprintf(*address, option == 'b' ? "%c=%s\n" : "%c\n", option, optarg);
  printf("%d %s\n", optind, argv[optind]);
  return 0;
}
