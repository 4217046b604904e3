// backtrace from a signal handler sees through the kernel's frame into the function that was interrupted and its callers.
// flags: -O0 -fasynchronous-unwind-tables | -O2 -fasynchronous-unwind-tables -fomit-frame-pointer
// stdout: faulting found 1, caller found 1, main found 1
#define _GNU_SOURCE
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
#include <unwind.h>

static void *frames[64];
static int count;
static void *starts[64];
static int start_count;
static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *argument) {
  if (start_count < 64)
    starts[start_count++] = (void *)_Unwind_GetRegionStart(context);
  return _URC_NO_REASON;
}
static void handler(int number, siginfo_t *info, void *context) {
  count = backtrace(frames, 64);
  _Unwind_Backtrace(note, NULL);
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}
__attribute__((noinline)) int faulting(int n) {
  // Two bytes that the handler steps over.
  __asm__ volatile("ud2" ::: "memory");
  return n + 1;
}
__attribute__((noinline)) int caller(int n) {
  int found = faulting(n) + 1;
  __asm__ volatile("" : "+r"(found));
  return found;
}
static int has(const void *function) {
  for (int i = 0; i < start_count; i++)
    if (starts[i] == function)
      return 1;
  return 0;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  backtrace(frames, 1);
  sigaction(SIGILL, &action, NULL);
  caller(1);
  printf("faulting found %d, caller found %d, main found %d\n", has(faulting), has(caller), has(main));
  return count < 5;
}
