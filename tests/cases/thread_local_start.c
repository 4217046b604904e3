// Thread-local variables in threads that the C library starts in its other ways, in a handler, in a child, and at a thread's end.
// flags: -O0 | -O2
// skip-lli: it has freed the variables when destructors of keys run
// stdout: thrd 5 6
// stdout: timer 5 6
// stdout: handler 77
// stdout: child 77 78
// stdout: key 9
// stdout: parent 77
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

_Thread_local int number = 5;
_Thread_local int *self = NULL;
static sem_t done;
static pthread_key_t key;

static int by_thrd(void *argument) {
  int before = number;
  printf("thrd %d %d\n", before, ++number);
  return 0;
}

static void by_timer(union sigval value) {
  int before = number;
  printf("timer %d %d\n", before, ++number);
  sem_post(&done);
}

static volatile int seen;
static void handler(int signal) { seen = number; }

static void at_end(void *argument) { printf("key %d\n", *self + number - 5); }
static void *with_key(void *argument) {
  self = &number;
  number = 7;
  pthread_setspecific(key, self);
  return NULL;
}

int main(void) {
  sem_init(&done, 0, 0);
  thrd_t thread;
  thrd_create(&thread, by_thrd, NULL);
  thrd_join(thread, NULL);

  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = by_timer;
  timer_t timer;
  struct itimerspec soon = {{0, 0}, {0, 1}};
  timer_create(CLOCK_MONOTONIC, &event, &timer);
  timer_settime(timer, 0, &soon, NULL);
  sem_wait(&done);

  number = 77;
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  printf("handler %d\n", seen);

  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int before = number;
    printf("child %d %d\n", before, ++number);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);

  pthread_key_create(&key, at_end);
  pthread_t last;
  pthread_create(&last, NULL, with_key, NULL);
  pthread_join(last, NULL);
  printf("parent %d\n", number);
}
