// What the program leaves unread on standard input is there for its child: nobody has read ahead.
// stdin: first
// stdin: second
// stdout: f
// stdout: irst
// stdout: second
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void) {
  char byte;
  (void)!read(0, &byte, 1);
  printf("%c\n", byte);
  fflush(stdout);
  return system("cat");
}
