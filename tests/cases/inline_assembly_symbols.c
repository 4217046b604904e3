// Inline assembly that names the program's symbols, jumps to its labels, and leaves data in other sections.
// flags: -O0 | -O2 | -O2 -fno-pic | -O2 -mcmodel=medium
// skip-lli: its linker defines no __start_ and __stop_ symbols
// stdout: 43 7 8
// stdout: odd even odd
// stdout: 3 places
#include <stdio.h>

static int counter = 7;
__attribute__((used, noinline)) static int add(int n) { return n + 1; }
struct place { int offset; };
extern const struct place __start_places[] __attribute__((visibility("hidden")));
extern const struct place __stop_places[] __attribute__((visibility("hidden")));
#define MARK __asm__ volatile("1:\n.pushsection places,\"a\",@progbits\n.long 1b - .\n.popsection")

__attribute__((noinline)) static const char *parity(int n) {
  __asm__ goto("testl $1, %0\n\tjnz %l[odd]" : : "r"(n) : "cc" : odd);
  MARK;
  return "even";
odd:
  MARK;
  return "odd";
}
__attribute__((noinline)) static int call(int n) {
  int result;
  __asm__("subq $136, %%rsp\n\tcall %P2\n\taddq $136, %%rsp"
          : "=a"(result)
          : "D"(n), "i"(add)
          : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
  return result;
}
__attribute__((noinline)) static int load(void) {
  int value;
  __asm__("movl %1, %0\n\tincl %1" : "=&r"(value), "+m"(counter));
  MARK;
  return value;
}

int main(void) {
  int a = call(42), b = load();
  printf("%d %d %d\n", a, b, counter);
  printf("%s %s %s\n", parity(3), parity(4), parity(5));
  int in_text = 0;
  for (const struct place *place = __start_places; place < __stop_places; place++)
    in_text += place->offset != 0;
  printf("%d places\n", in_text);
  return 0;
}
