// makecontext and swapcontext: functions of the module on stacks of their own, and exceptions on them.
// flags: -O0 | -O2
// stdout: 0 1 4 9 16
// stdout: caught on its own stack: 5
// stdout: back
#include <cstdio>
#include <ucontext.h>

static ucontext_t caller, callee;
static char stack[256 * 1024];
static int value;

[[gnu::noinline]] static void yield(int next) {
  value = next;
  swapcontext(&callee, &caller);
}
static void squares(int count) {
  for (int i = 0; i < count; i++)
    yield(i * i);
  try {
    throw count;
  } catch (int n) {
    std::printf("caught on its own stack: %d\n", n);
  }
  value = -1;
}

int main() {
  getcontext(&callee);
  callee.uc_stack.ss_sp = stack;
  callee.uc_stack.ss_size = sizeof stack;
  callee.uc_link = &caller;
  makecontext(&callee, reinterpret_cast<void (*)()>(squares), 1, 5);
  for (int i = 0; i < 6; i++) {
    swapcontext(&caller, &callee);
    if (i < 5)
      std::printf("%d%c", value, i < 4 ? ' ' : '\n');
  }
  std::puts(value == -1 ? "back" : "lost");
}
