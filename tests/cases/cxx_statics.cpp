// Objects with constructors and destructors: global, in functions, in templates, thread-local; in the order of the standard.
// flags: -O0 | -O2
// stdout: + first
// stdout: + second
// stdout: main
// stdout: + in function
// stdout: + thread
// stdout: - thread
// stdout: - in function
// stdout: - second
// stdout: - first
#include <cstdio>
#include <thread>

struct Noisy {
  const char *name;
  explicit Noisy(const char *name) : name(name) { std::printf("+ %s\n", name); }
  ~Noisy() { std::printf("- %s\n", name); }
};

static Noisy first("first");
Noisy second("second");
static Noisy &lazy() {
  static Noisy noisy("in function");
  return noisy;
}
thread_local Noisy *last;

int main() {
  std::puts("main");
  lazy();
  lazy();
  std::thread([] {
    thread_local Noisy noisy("thread");
    last = &noisy;
  }).join();
  return last != nullptr;
}
