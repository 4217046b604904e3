// A nested function of GNU C whose address is taken needs code on the stack: refused with the object's name, not run wrongly.
// extra-object: nested.c gcc -O0
// larder-error: nested.o
// larder-error: an executable stack
int count_above(const int *numbers, int count, int limit);

int main(void) {
  int numbers[] = {3, 1, 4, 1, 5};
  return count_above(numbers, 5, 2);
}
