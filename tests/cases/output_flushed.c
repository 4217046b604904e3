// What streams hold back is written at the end, after destructors, whatever the buffering; a stream of the program's own too.
// stdout: full buffer, main, destructor, own stream
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char buffer[1 << 16];
__attribute__((constructor)) static void construct(void) { setvbuf(stdout, buffer, _IOFBF, sizeof buffer); }
__attribute__((destructor)) static void destroy(void) {
  printf(", destructor");
  fflush(stdout);
  FILE *own = fdopen(dup(1), "w");
  fprintf(own, ", own stream\n");
}
int main(void) {
  printf("full buffer");
  printf(", main");
  return 0;
}
