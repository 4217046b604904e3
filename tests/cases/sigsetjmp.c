// sigsetjmp and siglongjmp out of a handler, with and without the signal mask; clang's own __builtin_setjmp.
// flags: -O0 | -O2
// stdout: 1: blocked 0
// stdout: 2: blocked 1
// stdout: built in: 3
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>

static sigjmp_buf out;
static void handler(int number) { siglongjmp(out, 1); }
static int is_blocked(void) {
  sigset_t set;
  sigprocmask(SIG_BLOCK, NULL, &set);
  return sigismember(&set, SIGUSR1);
}

static void *buffer[5];
__attribute__((noinline)) static void jump(int depth) {
  if (depth)
    jump(depth - 1);
  else
    __builtin_longjmp(buffer, 1);
  __asm__ volatile("" ::: "memory");
}
__attribute__((noinline)) static int built_in(void) {
  volatile int count = 0;
  if (__builtin_setjmp(buffer) == 0 || count < 3) {
    count++;
    jump(count);
  }
  return count;
}

int main(void) {
  signal(SIGUSR1, handler);
  if (!sigsetjmp(out, 1))
    raise(SIGUSR1);
  printf("1: blocked %d\n", is_blocked());
  if (!sigsetjmp(out, 0))
    raise(SIGUSR1);
  printf("2: blocked %d\n", is_blocked());
  printf("built in: %d\n", built_in());
  return 0;
}
