// Thread-local variables of every kind, compiled with every model.
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

int x = 1;
__thread int number = 40;
__thread int *pointer = &x;
static __thread int mine = 7, zero;
__thread char aligned[100] __attribute__((aligned(256)));

__attribute__((noinline)) int bump(void) { return ++number + zero++ + mine; }
int *address_of_number(void) { return &number; }
long rest(void) { return (uintptr_t)aligned % 256 + (pointer == &x ? 0 : 1000) + (aligned[99] == 0 ? 0 : 2000); }

static void *run(void *result) {
  bump();
  *(int *)result = bump();
  return 0;
}

int in_a_thread_of_c(void) {
  pthread_t thread;
  int result = 0;
  pthread_create(&thread, 0, run, &result);
  pthread_join(thread, 0);
  return result;
}

static void on_timer(union sigval value) {
  bump();
  __atomic_store_n((volatile int *)value.sival_ptr, bump(), __ATOMIC_SEQ_CST);
}

// A thread that nobody but the C library starts.
int in_a_thread_of_a_timer(void) {
  int volatile result = 0;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = on_timer;
  event.sigev_value.sival_ptr = (void *)&result;
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return -1;
  struct itimerspec soon = {{0, 0}, {0, 1}};
  timer_settime(timer, 0, &soon, 0);
  while (__atomic_load_n(&result, __ATOMIC_SEQ_CST) == 0) {
    struct timespec moment = {0, 1000000};
    nanosleep(&moment, 0);
  }
  timer_delete(timer);
  return result;
}

static volatile int seen;
static void handler(int signal) { seen = number; }
int in_a_signal_handler(void) {
  number = 99;
  void (*before)(int) = signal(SIGUSR1, handler);
  raise(SIGUSR1);
  signal(SIGUSR1, before);
  return seen;
}
