// Writing to a pipe that nobody reads ends a program by SIGPIPE.
// signal: 13
#include <unistd.h>

int main(void) {
  int ends[2];
  if (pipe(ends) || close(ends[0]))
    return 1;
  return write(ends[1], "x", 1) == 1;
}
