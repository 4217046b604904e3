// Both output streams, unbuffered writes among buffered ones: the order of bytes is the program's.
// stdout: raw
// stdout: buffered
#include <stdio.h>
#include <unistd.h>

int main(void) {
  fputs("buffered\n", stdout);
  (void)!write(1, "raw\n", 4);
  fputs("to stderr\n", stderr);
  perror("errno");
  return 0;
}
