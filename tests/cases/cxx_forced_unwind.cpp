// A forced unwind runs every cleanup up to where its stop function leaves it, and catches see it as nothing they know.
// flags: -O0 | -O2 -fno-omit-frame-pointer
// skip-dlopen: the stop function counts frames of main's caller
// stdout: clean 0
// stdout: clean 1
// stdout: clean 2
// stdout: clean 3
// stdout: out, with reason 0
#include <csetjmp>
#include <cstdio>
#include <unwind.h>

static std::jmp_buf out;
static _Unwind_Exception exception;
static void *limit;

struct Guard {
  int depth;
  ~Guard() { std::printf("clean %d\n", depth); }
};

static _Unwind_Reason_Code stop(int, _Unwind_Action, _Unwind_Exception_Class, _Unwind_Exception *,
                                _Unwind_Context *context, void *) {
  if (reinterpret_cast<void *>(_Unwind_GetCFA(context)) >= limit)
    std::longjmp(out, 1);
  return _URC_NO_REASON;
}
[[gnu::noinline]] static void nest(int depth) {
  Guard guard{depth};
  if (depth)
    nest(depth - 1);
  else
    _Unwind_ForcedUnwind(&exception, stop, nullptr);
  asm volatile("" ::: "memory");
}

int main() {
  volatile int reason = 0;
  limit = __builtin_frame_address(0);
  if (!setjmp(out))
    try {
      nest(3);
    } catch (int) {
      reason = 1;
    }
  std::printf("out, with reason %d\n", reason);
}
