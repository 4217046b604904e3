#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;
FILE **const gcc_stream = &stderr;
char ***const gcc_environment = &environ;

int by_gcc(int count, char **arguments) {
  int found = 0;
  for (char **entry = environ; *entry; entry++) found += !strcmp(*entry, "LARDER_CASE=after");
  printf("LARDER_CASE=after in %d place\n", found);
  for (int option; (option = getopt(count, arguments, "a:b")) != -1;) {
    if (optarg)
      printf("option %c with %s\n", option, optarg);
    else
      printf("option %c without\n", option);
  }
  printf("operand at %d\n", optind);
  stderr = stdout;
  return 3;
}
