// Inline assembly: operands, clobbers, a local label, a call.
// flags: -O0 | -O2
// stdout: 42 120 10
// stdout: called
#include <stdio.h>

void called(void) { puts("called"); }

int main(void) {
  int sum, product = 1, count = 5;
  asm("leal (%1,%2), %0" : "=r"(sum) : "r"(40), "r"(2));
  asm("1: imull %1, %0\n\tdecl %1\n\tjnz 1b" : "+r"(product), "+r"(count) : : "cc");
  unsigned length;
  asm("bsfl %1, %0" : "=r"(length) : "r"(1024) : "cc");
  printf("%d %d %u\n", sum, product, length);
  asm volatile("subq $128, %%rsp\n\tcall *%0\n\taddq $128, %%rsp"
               :
               : "b"(called)
               : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
  return 0;
}
