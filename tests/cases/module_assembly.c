// Assembly at file level: functions and data with their own sections, called both ways.
// skip-lli: orc rejects definitions that the IR does not have
// stdout: 49 11
#include <stdio.h>

asm(".text\n"
    ".globl square_in_assembly\n"
    ".type square_in_assembly,@function\n"
    "square_in_assembly:\n"
    "  movl %edi, %eax\n"
    "  imull %edi, %eax\n"
    "  ret\n"
    ".size square_in_assembly, .-square_in_assembly\n"
    ".data\n"
    ".globl number_in_assembly\n"
    "number_in_assembly: .long 11\n"
    ".size number_in_assembly, 4\n"
    ".text\n");

int square_in_assembly(int);
extern int number_in_assembly __attribute__((visibility("hidden")));

int main(void) {
  printf("%d %d\n", square_in_assembly(7), number_in_assembly);
  return 0;
}
