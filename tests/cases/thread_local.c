// Thread-local variables: initialised for each thread, kept apart, alive as long as the thread.
// flags: -O0 | -O2 | -O2 -fPIC | -O2 -fPIC -mtls-dialect=gnu2
// stdout: 5 0 105 3
// stdout: 5 0 105 3
// stdout: 5 0 105 3
// stdout: main 5 1000
#include <pthread.h>
#include <stdio.h>

_Thread_local int initialised = 5;
static _Thread_local long zeroed;
static _Thread_local int *pointer = NULL;
_Thread_local char buffer[3000];

static void *work(void *argument) {
  int first = initialised, zero = (int)zeroed;
  initialised += 100;
  pointer = &initialised;
  buffer[2999] = 3;
  zeroed = 77;
  printf("%d %d %d %d\n", first, zero, *pointer, buffer[2999] + buffer[0]);
  return argument;
}

int main(void) {
  zeroed = 1000;
  for (int i = 0; i < 3; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
  }
  printf("main %d %ld\n", initialised, zeroed);
  return pointer != NULL;
}
