// Division by zero.
// signal: 8
int main(void) {
  int zero = 0, quotient = 1;
  // The compiler may assume that a division in C never does this.
  asm volatile("cltd\n\tidivl %1" : "+a"(quotient) : "r"(zero) : "edx", "cc");
  return quotient;
}
