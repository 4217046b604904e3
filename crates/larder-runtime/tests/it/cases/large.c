#include <stddef.h>
static __thread char huge[100 << 20] __attribute__((aligned(4096)));
// Answers 1 as long as each page was zeros.
int touch(size_t len) {
  int zeros = 1;
  for (size_t i = 0; i < len; i += 4096) {
    zeros &= huge[i] == 0;
    huge[i] = 1;
  }
  return zeros;
}
