// Addresses of labels in a table: a bytecode interpreter's main loop.
// flags: -O0 | -O2
// stdout: 2 4 8 16 32 64 128 256 512 1024
#include <stdio.h>

static int run(const unsigned char *code) {
  static const void *const table[] = {&&push, &&add, &&print, &&loop, &&halt};
  int accumulator = 0, count = 0;
next:
  goto *table[*code++];
push:
  accumulator = *code++;
  goto next;
add:
  accumulator += accumulator;
  goto next;
print:
  printf("%d%c", accumulator, count < 9 ? ' ' : '\n');
  goto next;
loop:
  if (++count < 10)
    code -= 3;
  goto next;
halt:
  return count;
}

int main(void) {
  static const unsigned char program[] = {0, 1, 1, 2, 3, 4};
  return run(program) != 10;
}
