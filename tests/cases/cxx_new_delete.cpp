// A program that replaces operator new: its own calls go to its own; the library's too in a native program, which nobody can give.
// flags: -O0 | -O2
// stdout: new 24 delete 1
#include <cstdio>
#include <cstdlib>
#include <new>

static std::size_t asked;
static int freed;
void *operator new(std::size_t size) {
  asked += size;
  return std::malloc(size);
}
void operator delete(void *pointer) noexcept {
  freed++;
  std::free(pointer);
}
void operator delete(void *pointer, std::size_t) noexcept { operator delete(pointer); }

struct Three {
  long values[3];
};

int main() {
  Three *volatile three = new Three;
  delete three;
  std::printf("new %zu delete %d\n", asked, freed);
}
