// Hidden and protected symbols: used inside, not offered outside.
// flags: -O0 | -O2
// stdout: 12 34 56
#include <stdio.h>

extern int hidden_number __attribute__((visibility("hidden")));
int hidden_function(void) __attribute__((visibility("hidden")));
int protected_function(void) __attribute__((visibility("protected")));

int main(void) {
  printf("%d %d %d\n", hidden_number, hidden_function(), protected_function());
  return 0;
}
