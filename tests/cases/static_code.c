// A module compiled for a fixed address: no PIC level, dso_local on everything, addresses in 32 bits.
// flags: -O0 -fno-pic -mcmodel=small | -O2 -fno-pic -mcmodel=small
// stdout: 3 5 c
// stdout: 1 1
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;
int numbers[] = {1, 2, 3};
static int (*const functions[])(const char *) = {atoi, puts};

int main(int argc, char **argv) {
  fprintf(stdout, "%d %d %c\n", numbers[argc + 1], functions[0]("5"), *strchr("abc", 'c'));
  printf("%d %d\n", environ != NULL, &stdout != NULL);
  return 0;
}
