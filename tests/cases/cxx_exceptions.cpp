// Exceptions: thrown and caught by type, by base, rethrown, with destructors on the way, out of nested calls, by the library.
// flags: -O0 | -O2 | -O2 -fno-pic
// stdout: int 7
// stdout: derived as base: derived
// stdout: ~Guard ~Guard rethrown: inner
// stdout: out_of_range
// stdout: length_error
// stdout: anything
// stdout: nested: outer inner
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <vector>

struct Base {
  virtual ~Base() = default;
  virtual const char *name() const { return "base"; }
};
struct Derived : Base {
  const char *name() const override { return "derived"; }
};
struct Guard {
  ~Guard() { std::printf("~Guard "); }
};
struct Unknown {};

template <class T> [[gnu::noinline]] void raise(T value) { throw value; }
[[gnu::noinline]] void guarded(int depth) {
  Guard guard;
  if (depth)
    return guarded(depth - 1);
  throw std::runtime_error("inner");
}

int main() {
  try { raise(7); } catch (int n) { std::printf("int %d\n", n); }
  try { raise(Derived()); } catch (const Base &b) { std::printf("derived as base: %s\n", b.name()); }
  try {
    try { guarded(1); } catch (...) { throw; }
  } catch (const std::exception &e) { std::printf("rethrown: %s\n", e.what()); }
  try { std::vector<int>(3).at(3); } catch (const std::out_of_range &) { std::puts("out_of_range"); }
  try {
    std::vector<long>().reserve(std::size_t(-1));
  } catch (const std::length_error &) { std::puts("length_error"); }
  try { raise(Unknown()); } catch (...) { std::puts("anything"); }
  try {
    try { raise(std::runtime_error("inner")); } catch (...) { std::throw_with_nested(std::runtime_error("outer")); }
  } catch (const std::exception &outer) {
    try { std::rethrow_if_nested(outer); } catch (const std::exception &inner) {
      std::printf("nested: %s %s\n", outer.what(), inner.what());
    }
  }
}
