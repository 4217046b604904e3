// What signals do to a program that says nothing of them: whether it ends, and whether by that signal.
// skip-lli: it handles most of them itself, to print its own stack
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  static const int numbers[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,   SIGTRAP, SIGABRT,   SIGBUS,  SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
                                SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT,  SIGURG,  SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
                                SIGWINCH, SIGIO,  SIGPWR,  SIGSYS};
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      printf("lost");
      raise(numbers[i]);
      _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("%d: %s %d\n", numbers[i], WIFSIGNALED(status) ? "ended by" : "survived", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  }
  return 0;
}
