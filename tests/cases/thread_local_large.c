// Thread-local variables that don't fit a fixed place beside the host's: too many, over-aligned, and mostly untouched.
// flags: -O0 | -O2 | -O2 -fno-pic
// stdout: 0 0 7 1
// stdout: 0 0 7 1
// stdout: main 42
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

_Thread_local int number = 7;
static _Thread_local char huge[1 << 20];
static _Thread_local _Alignas(4096) char aligned[100];

static void *work(void *argument) {
  printf("%d %d %d %d\n", (int)((uintptr_t)aligned % 4096), huge[1023 << 10] + huge[0] + aligned[99], number,
         &huge[0] != argument);
  huge[0] = aligned[99] = 1;
  number++;
  return NULL;
}

int main(void) {
  number = 42;
  for (int i = 0; i < 2; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, huge) != 0)
      return 1;
    pthread_join(thread, NULL);
  }
  printf("main %d\n", number);
}
