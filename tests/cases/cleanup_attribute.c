// C's own cleanups: variables with a cleanup function, left by return, by goto, and by an unwind of the thread.
// flags: -O0 -fexceptions -pthread | -O2 -fexceptions -pthread
// stdout: 2 1 0 | 2 1 0 | 2 1 0 |
#include <pthread.h>
#include <stdio.h>

static void clean(const int *number) { printf("%d ", *number); }
#define CLEANED __attribute__((cleanup(clean))) int

__attribute__((noinline)) static void leave(int how) {
  CLEANED zero = 0;
  {
    CLEANED one = 1;
    {
      CLEANED two = 2;
      if (how == 1)
        goto end;
      if (how == 2)
        pthread_exit(NULL);
    }
  }
end:
  if (how == 1)
    return;
}
static void *thread(void *argument) {
  leave(2);
  return argument;
}

int main(void) {
  leave(0);
  printf("| ");
  leave(1);
  printf("| ");
  pthread_t id;
  pthread_create(&id, NULL, thread, NULL);
  pthread_join(id, NULL);
  puts("|");
  return 0;
}
