// A weak definition is used by its own module, called directly and through a pointer.
// flags: -O0 | -O2
// stdout: 3 4 5
#include <stdio.h>

__attribute__((weak)) int weak_function(int x) { return x + 1; }
__attribute__((weak)) int weak_number = 5;
int (*volatile pointer)(int) = weak_function;

int main(void) {
  printf("%d %d %d\n", weak_function(2), pointer(3), weak_number);
  return 0;
}
