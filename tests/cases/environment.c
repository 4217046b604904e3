// The environment by getenv, by environ and by main's third argument, and changed for a child.
// skip-lli: gives main no third argument
// env: LARDER_TEST_GREETING=good morning
// stdout: good morning
// stdout: good morning
// stdout: good morning
// stdout: child: good night
// stdout: 0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const char *find(char **list) {
  static const char name[] = "LARDER_TEST_GREETING=";
  for (; *list; list++)
    if (!strncmp(*list, name, sizeof name - 1))
      return *list + sizeof name - 1;
  return "nowhere";
}

int main(int argc, char **argv, char **envp) {
  printf("%s\n%s\n%s\n", getenv("LARDER_TEST_GREETING"), find(environ), find(envp));
  fflush(stdout);
  setenv("LARDER_TEST_GREETING", "good night", 1);
  int status = system("echo child: $LARDER_TEST_GREETING");
  printf("%d\n", status);
  return 0;
}
