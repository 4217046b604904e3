// The medium and large code models: 64-bit references, sections for large data.
// flags: -O2 -mcmodel=medium | -O2 -mcmodel=large
// stdout: 7 0 ok
#include <stdio.h>

int numbers[100000] = {7};
char zeros[1 << 20];
__attribute__((noinline)) static const char *name(void) { return "ok"; }

int main(void) {
  printf("%d %d %s\n", numbers[0] + numbers[99999], zeros[12345], name());
  return 0;
}
