// What a process is born with: signal dispositions and mask, no alternate stack, one thread, no children, limits, floating-point
// control, descriptors of nobody else. A program must find it as the shell would have left it.
// skip-lli: installs handlers and keeps threads
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fenv.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xmmintrin.h>

static int entries(const char *path) {
  int count = 0;
  DIR *dir = opendir(path);
  while (dir && readdir(dir))
    count++;
  if (dir)
    closedir(dir);
  return count - 2;
}

int main(void) {
  printf("errno %d\n", errno);
  for (int number = 1; number < 65; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && (action.sa_handler != SIG_DFL || action.sa_flags))
      printf("signal %d: %s, flags %x\n", number, action.sa_handler == SIG_IGN ? "ignored" : "handled", action.sa_flags);
  }
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  for (int number = 1; number < 65; number++)
    if (sigismember(&mask, number) == 1)
      printf("signal %d: blocked\n", number);
  stack_t stack;
  sigaltstack(NULL, &stack);
  printf("stack %d\n", stack.ss_flags == SS_DISABLE);
  printf("threads %d\n", entries("/proc/self/task"));
  printf("child %d", waitpid(-1, NULL, WNOHANG));
  printf(" %d\n", errno == ECHILD);
  for (int which = 0; which < RLIMIT_NLIMITS; which++) {
    struct rlimit limit;
    getrlimit(which, &limit);
    printf("limit %d: %llx %llx\n", which, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
  }
  int signal = -1;
  prctl(PR_GET_PDEATHSIG, &signal);
  printf("prctl %d %d %d\n", signal, prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  mode_t old = umask(022);
  printf("umask %o, mxcsr %x, rounding %d, locale %s\n", old, _mm_getcsr() & ~0x3fu, fegetround(), setlocale(LC_ALL, NULL));
  printf("alarm %u, scheduler %d, nice %d\n", alarm(0), sched_getscheduler(0), getpriority(PRIO_PROCESS, 0));
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  printf("cpus %d\n", CPU_COUNT(&cpus));
  printf("streams %d %d\n", ftell(stdin) == -1, fileno(stdout));
  return 0;
}
