// abort ends the process by its signal; what wasn't flushed is lost, what was isn't.
// signal: 6
// stdout: so far
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  puts("so far");
  fflush(stdout);
  abort();
}
