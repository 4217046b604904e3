// exit and _exit from signal handlers, in two processes; the second writes nothing that stdio holds back.
// exit: 2
// stdout: child: handler
// stdout: child: destructor
// stdout: child exits with 5
// skip-lli: exit leaves lli before the destructors of the program
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_child;
static void leave(int number) {
  if (number == SIGUSR2)
    _exit(2);
  exit(5);
}
static void handler(void) { puts(is_child ? "child: handler" : "never"); }
__attribute__((destructor)) static void destroy(void) { puts(is_child ? "child: destructor" : "never"); }
int main(void) {
  atexit(handler);
  signal(SIGUSR1, leave);
  signal(SIGUSR2, leave);
  pid_t child = fork();
  if (child == 0) {
    is_child = 1;
    raise(SIGUSR1);
  }
  int status;
  waitpid(child, &status, 0);
  printf("child exits with %d\n", WEXITSTATUS(status));
  fflush(stdout);
  printf("held back");
  raise(SIGUSR2);
}
