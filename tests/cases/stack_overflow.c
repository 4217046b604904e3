// Endless recursion ends by SIGSEGV, at the guard page.
// signal: 11
__attribute__((noinline)) int down(volatile int *n) {
  volatile int here = *n + 1;
  return down(&here) + here;
}
int main(void) {
  volatile int n = 0;
  return down(&n);
}
