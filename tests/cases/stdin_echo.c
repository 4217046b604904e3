// Standard input belongs to the program, to the last byte.
// stdin: one
// stdin: two  words
// stdin: ümlaut
// stdout: 1 one
// stdout: 2 two  words
// stdout: 3 ümlaut
// stdout: end 3
#include <stdio.h>

int main(void) {
  char line[100];
  int count = 0;
  while (fgets(line, sizeof line, stdin))
    printf("%d %s", ++count, line);
  printf("end %d\n", count);
  return 0;
}
