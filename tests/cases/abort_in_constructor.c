// abort in a constructor: nothing that stdio holds back is written, no destructor runs.
// signal: 6
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((destructor)) static void destroy(void) { puts("never"); }
__attribute__((constructor)) static void construct(void) {
  if (write(1, "written\n", 8) != 8)
    _Exit(1);
  printf("held back");
  abort();
}
int main(void) { return 0; }
