// A program finds descriptors 0, 1 and 2 open and gets 3 for its first file, as if nothing had been opened before.
// stdout: 3
// stdout: 1 1 1 0
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
  int first = open("/dev/null", O_RDONLY);
  printf("%d\n", first);
  close(first);
  for (int i = 0; i < 4; i++)
    printf("%d%c", fcntl(i, F_GETFD) >= 0, i < 3 ? ' ' : '\n');
  return 0;
}
