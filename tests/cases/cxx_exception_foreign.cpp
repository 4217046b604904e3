// Exceptions of no language, raised by hand: cleanups run, catch (...) takes them and gives them back, types don't.
// flags: -O0 | -O2
// stdout: clean inner
// stdout: caught, code 7
// stdout: deleted, reason 1
// stdout: clean outer
// stdout: passed on, code 7
// stdout: deleted, reason 1
// stdout: end of stack: 5
#include <cstdio>
#include <cstring>
#include <exception>
#include <unwind.h>

struct Own {
  _Unwind_Exception head;
  int code;
};
static Own own;
static void deleted(_Unwind_Reason_Code reason, _Unwind_Exception *) { std::printf("deleted, reason %d\n", reason); }

struct Guard {
  const char *name;
  ~Guard() { std::printf("clean %s\n", name); }
};

[[gnu::noinline]] static _Unwind_Reason_Code raise_own() {
  own.code = 7;
  own.head.exception_class = 0x4c52445200000001;
  own.head.exception_cleanup = deleted;
  return _Unwind_RaiseException(&own.head);
}
[[gnu::noinline]] static void inner() {
  Guard guard{"inner"};
  try {
    raise_own();
  } catch (int) {
    std::puts("never");
  }
}
[[gnu::noinline]] static void outer() {
  Guard guard{"outer"};
  try {
    raise_own();
  } catch (const std::exception &) {
    std::puts("never");
  } catch (...) {
    throw;
  }
}

int main() {
  try {
    inner();
  } catch (...) {
    std::printf("caught, code %d\n", own.code);
  }
  try {
    outer();
  } catch (...) {
    std::printf("passed on, code %d\n", own.code);
  }
  // Nobody would catch it: the search finds the end of the stack and comes back.
  std::printf("end of stack: %d\n", raise_own());
}
