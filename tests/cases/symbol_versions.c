// Old versions of the C library's symbols, by name and version, and a version that the program itself gives.
// flags: -O0 | -O2
// skip-lli: it does not know versions
// stdout: 1 1
// stdout: copied own
#include <stdio.h>
#include <string.h>

void *memcpy_old(void *, const void *, size_t);
__asm__(".symver memcpy_old, memcpy@GLIBC_2.2.5");
void *memcpy_new(void *, const void *, size_t);
__asm__(".symver memcpy_new, memcpy@GLIBC_2.14");

int main(int argc, char **argv) {
  char text[8];
  memcpy_old(text, "copied", 7);
  char other[4];
  memcpy_new(other, "own", 4);
  printf("%d %d\n", memcpy_old != memcpy_new, argc);
  printf("%s %s\n", text, other);
  return 0;
}
