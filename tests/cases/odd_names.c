// Names that no C compiler would make: spaces, quotes, UTF-8, an empty look, a dollar, a very long one.
// skip-dlopen: lld takes what follows an @ for a symbol's version
// flags: -O0 | -O2
// stdout: 1 2 3 4 5 6 7
#include <stdio.h>

#define LONG "long_________________________________________________________________________________________________"
int spaces(void) asm("with some spaces");
int quotes(void) asm("with \"quotes\" and 'ticks'");
int unicode(void) asm("größe→∞");
int dollar(void) asm("$dollar@at");
int dotted(void) asm("a.b.c.123");
int brackets(void) asm("operator<<(int, char const*)");
int lengthy(void) asm(LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG);

int spaces(void) { return 1; }
int quotes(void) { return 2; }
int unicode(void) { return 3; }
int dollar(void) { return 4; }
int dotted(void) { return 5; }
int brackets(void) { return 6; }
int lengthy(void) { return 7; }

int main(void) {
  printf("%d %d %d %d %d %d %d\n", spaces(), quotes(), unicode(), dollar(), dotted(), brackets(), lengthy());
  return 0;
}
