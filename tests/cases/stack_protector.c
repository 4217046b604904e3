// Stack protectors read the thread's canary at %fs:0x28 and call __stack_chk_fail when it is overwritten.
// skip-lli: its own handler of SIGABRT crashes on the smashed stack
// flags: -O1 -fstack-protector-all
// signal: 6
#include <string.h>

__attribute__((noinline)) static void smash(volatile int length) {
  char buffer[16];
  memset(buffer, 'x', (unsigned)length);
  asm volatile("" : : "r"(buffer) : "memory");
}
int main(void) {
  smash(64);
  return 0;
}
