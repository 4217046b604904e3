// _Unwind_Backtrace finds every frame and the language-free end of the stack; _Unwind_Find_FDE the function's own entry.
// flags: -O1 -funwind-tables
// stdout: 12 frames or more, start found
#include <stdio.h>
#include <unwind.h>

static _Unwind_Reason_Code count(struct _Unwind_Context *context, void *argument) {
  ++*(int *)argument;
  return _URC_NO_REASON;
}
static void *own_start;
static _Unwind_Reason_Code start(struct _Unwind_Context *context, void *argument) {
  if (_Unwind_GetRegionStart(context) == (_Unwind_Ptr)argument)
    own_start = argument;
  return _URC_NO_REASON;
}
__attribute__((noinline)) int nest(int n) {
  int frames = 0;
  if (n) {
    frames = nest(n - 1);
    asm volatile("" : "+r"(frames));
    return frames;
  }
  _Unwind_Backtrace(count, &frames);
  _Unwind_Backtrace(start, (void *)nest);
  return frames;
}

int main(void) {
  int frames = nest(9);
  printf("%s, start %s\n", frames >= 12 ? "12 frames or more" : "too few", own_start ? "found" : "lost");
  return 0;
}
