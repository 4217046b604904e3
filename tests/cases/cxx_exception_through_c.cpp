// An exception thrown in a comparison passes through qsort, which the C library compiles with unwind tables.
// flags: -O0 | -O2
// stdout: caught after 1
#include <cstdio>
#include <cstdlib>

static int calls;

int main() {
  int numbers[] = {3, 1, 2};
  try {
    std::qsort(numbers, 3, sizeof *numbers, [](const void *, const void *) -> int { throw ++calls; });
  } catch (int count) {
    std::printf("caught after %d\n", count);
  }
}
