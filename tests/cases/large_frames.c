// Frames of a megabyte, alloca and variable-length arrays: stack probes and red zones.
// flags: -O0 | -O2 | -O2 -fstack-clash-protection
// stdout: 1048576 4999950000
#include <alloca.h>
#include <stdio.h>
#include <string.h>

__attribute__((noinline)) static size_t large(void) {
  char buffer[1 << 20];
  memset(buffer, 'x', sizeof buffer - 1);
  buffer[sizeof buffer - 1] = 0;
  asm volatile("" : : "r"(buffer) : "memory");
  return strlen(buffer) + 1;
}
__attribute__((noinline)) static long variable(int count) {
  int array[count];
  long *sum = alloca(sizeof *sum);
  *sum = 0;
  for (int i = 0; i < count; i++)
    array[i] = i;
  for (int i = 0; i < count; i++)
    *sum += array[i];
  return *sum;
}

int main(void) {
  printf("%zu %ld\n", large(), variable(100000));
  return 0;
}
