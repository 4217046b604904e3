// exit called by a thread while main waits for it and another thread works on: handlers and destructors run on the calling thread.
// exit: 12
// stdout: handler on the thread that exits: 1
// stdout: destructor on the thread that exits: 1
// skip-lli: exit leaves lli before the destructors of the program
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_t leaver;
static _Atomic int ready;
static void handler(void) { printf("handler on the thread that exits: %d\n", pthread_equal(pthread_self(), leaver) != 0); }
__attribute__((destructor)) static void destroy(void) {
  printf("destructor on the thread that exits: %d\n", pthread_equal(pthread_self(), leaver) != 0);
}
static void *work(void *count) {
  for (;;)
    ready = ++*(volatile int *)count != 0;
}
static void *leave(void *argument) {
  leaver = pthread_self();
  while (!ready)
    ;
  exit(argument ? 1 : 12);
}
int main(void) {
  static int count;
  pthread_t worker, other;
  atexit(handler);
  pthread_create(&worker, NULL, work, &count);
  pthread_create(&other, NULL, leave, NULL);
  for (;;)
    pause();
}
