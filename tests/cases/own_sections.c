// Code and data in sections of the program's own names.
// flags: -O0 | -O2 | -O2 -ffunction-sections -fdata-sections
// stdout: 1 2 3 0
#include <stdio.h>

__attribute__((section(".text.of.mine"), noinline)) int function(int x) { return x; }
__attribute__((section("my data"))) int data = 2;
__attribute__((section(".rodata.mine"))) const int constant = 3;
__attribute__((section(".bss.mine"))) int zero;

int main(void) {
  printf("%d %d %d %d\n", function(1), data, *(const volatile int *)&constant, zero);
  return 0;
}
