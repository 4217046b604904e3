// Sanitisers that need their library are refused with the name of what is missing.
// flags: -O1 -fsanitize=address | -O1 -fsanitize=thread | -O1 -fsanitize=memory | -O1 -fsanitize=safe-stack | -O1 -fsanitize=undefined | -O1 -fsanitize-coverage=trace-pc-guard
// larder-error: __
#include <stdlib.h>
static int *volatile pointer;
int main(int argc, char **argv) {
  int numbers[4] = {argc};
  pointer = malloc(4);
  *pointer = numbers[argc - 1] * 1000000;
  return *pointer * argc - 1000000;
}
