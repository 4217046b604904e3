// An exception out of a signal handler, through the frame that the kernel pushed, to the function whose instruction faulted.
// flags: -O0 -fasynchronous-unwind-tables | -O2 -fasynchronous-unwind-tables
// stdout: here: 8
// stdout: below: 11
// stdout: below: 11
#include <csignal>
#include <cstdio>

static void raise_it(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  throw number;
}
// LLVM knows of no load or division that throws, but of assembly that does.
[[gnu::noinline]] static int read(const int *from) {
  int value;
  asm volatile("movl (%1), %0" : "=r"(value) : "r"(from) : "memory", "unwind");
  return value + 1;
}

int main() {
  std::signal(SIGFPE, raise_it);
  std::signal(SIGSEGV, raise_it);
  try {
    asm volatile("idivl %0" : : "r"(0), "a"(7), "d"(0) : "cc", "unwind");
  } catch (int number) {
    std::printf("here: %d\n", number);
  }
  for (int i = 0; i < 2; i++)
    try {
      read(nullptr);
    } catch (int number) {
      std::printf("below: %d\n", number);
    }
}
