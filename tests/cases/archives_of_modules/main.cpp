// extra-archive: -emit-llvm unused.cpp table.cpp
// extra-archive: plain.cpp
// skip-lli: it takes bitcode in archives for objects
// stdout: table of 3: one two three
// stdout: caught out of range
//
// Members that are bitcode are compiled if they are needed, together with members that are objects.
#include <cstdio>
#include <stdexcept>

const char *entry(int);
int entry_count();

int main() {
  printf("table of %d:", entry_count());
  for (int i = 0; i < entry_count(); i++)
    printf(" %s", entry(i));
  try {
    entry(3);
  } catch (const std::out_of_range &error) {
    printf("\ncaught %s\n", error.what());
  }
}
