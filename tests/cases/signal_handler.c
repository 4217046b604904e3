// Handlers of the module are called, by signal and by sigaction, with the pointer to siginfo.
// stdout: 10 from signal
// stdout: 12 from sigaction, value 77
// stdout: 4
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t first, second, value;

static void simple(int number) { first = number; }
static void detailed(int number, siginfo_t *info, void *context) {
  second = number;
  value = info->si_value.sival_int;
}

int main(void) {
  signal(SIGUSR1, simple);
  raise(SIGUSR1);
  printf("%d from signal\n", (int)first);
  struct sigaction action = {.sa_sigaction = detailed, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR2, &action, NULL);
  sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 77});
  printf("%d from sigaction, value %d\n", (int)second, (int)value);
  fflush(stdout);
  char byte;
  // Signals that a Rust program would find ignored must be as the shell left them.
  struct sigaction pipe;
  sigaction(SIGPIPE, NULL, &pipe);
  printf("%d\n", pipe.sa_handler == SIG_DFL ? 4 : 5);
  (void)byte;
  return 0;
}
