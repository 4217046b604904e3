// The child of fork has the image too, runs its handlers, and its status comes back; exec replaces all of it.
// skip-lli: exit leaves the child before the handlers of the program
// stdout: child 1
// stdout: child handler
// stdout: parent: 17, counter 0
// stdout: from exec
// stdout: 0
// stdout: parent handler
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int counter;
static const char *who = "parent";
static void handler(void) { printf("%s handler\n", who); }

int main(void) {
  atexit(handler);
  pid_t pid = fork();
  if (pid == 0) {
    who = "child";
    printf("child %d\n", ++counter);
    exit(17);
  }
  int status;
  waitpid(pid, &status, 0);
  printf("parent: %d, counter %d\n", WEXITSTATUS(status), counter);
  fflush(stdout);
  pid = fork();
  if (pid == 0) {
    execl("/bin/echo", "echo", "from exec", (char *)NULL);
    _exit(1);
  }
  waitpid(pid, &status, 0);
  printf("%d\n", status);
  return 0;
}
