// A strong definition replaces a weak one, and the weak one is taken where there is no other.
// stdout: strong 7 weak
#include <stdio.h>

const char *name(void);
const char *other(void);
extern int number;

int main(void) {
  printf("%s %d %s\n", name(), number, other());
  return 0;
}
