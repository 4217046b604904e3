// Thread-local objects with constructors, used from another file's function and through a wrapper.
// skip-lli: crashes at the end of the thread
// flags: -O0 | -O2
// stdout: made 1
// stdout: 11
// stdout: made 2
// stdout: 12
// stdout: gone 2
// stdout: gone 1
#include <atomic>
#include <cstdio>
#include <thread>

static std::atomic<int> made;
struct Numbered {
  int number = ++made;
  Numbered() { std::printf("made %d\n", number); }
  ~Numbered() { std::printf("gone %d\n", number); }
};
thread_local Numbered numbered;
[[gnu::noinline]] int number() { return numbered.number + 10; }

int main() {
  std::printf("%d\n", number());
  std::thread([] { std::printf("%d\n", number()); }).join();
}
