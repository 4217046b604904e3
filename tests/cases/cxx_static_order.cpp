// Objects of static and thread storage duration, and atexit: each is destroyed in the reverse order of its completed construction,
// thread-local ones of main before all others.
// stdout: + global one
// stdout: + global two
// stdout: + in constructor
// stdout: main
// stdout: + local of main
// stdout: + thread-local
// stdout: + second local
// stdout: - thread-local
// stdout: - second local
// stdout: handler
// stdout: + made while exiting
// stdout: - made while exiting
// stdout: - local of main
// stdout: - global two
// stdout: - in constructor
// stdout: - global one
// skip-lli: it finalises objects before the exit handlers that were registered after them
#include <cstdio>
#include <cstdlib>

struct Says {
  const char *name;
  explicit Says(const char *name) : name(name) { std::printf("+ %s\n", name); }
  ~Says() { std::printf("- %s\n", name); }
};
struct Nests {
  const char *name;
  explicit Nests(const char *name);
  ~Nests() { std::printf("- %s\n", name); }
};
Says one("global one");
static Says &nested() {
  static Says local("in constructor");
  return local;
}
Nests::Nests(const char *name) : name(name) {
  std::printf("+ %s\n", name);
  nested();
}
Nests two("global two");
thread_local Says own("thread-local");
static void handler() {
  std::puts("handler");
  static Says late("made while exiting");
}
int main() {
  std::puts("main");
  static Says local("local of main");
  std::atexit(handler);
  own.name += 0;
  static Says second("second local");
  return 0;
}
