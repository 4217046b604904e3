// The same for C++: COMDATs, exceptions that cross parts, static initialisation, virtual functions, thread-local objects.

#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline))

namespace {

struct Error : std::runtime_error {
  unsigned code;
  Error(unsigned code) : std::runtime_error("error " + std::to_string(code)), code(code) {}
};

struct Base {
  virtual ~Base() = default;
  virtual unsigned step(unsigned x) = 0;
};

volatile unsigned sink;
thread_local std::vector<unsigned> trail;

} // namespace

inline unsigned counted() {
  static unsigned calls = std::string("once").size();
  return calls++;
}

// Some two hundred instructions that nothing can remove.
#define TURN(i) x = (x ^ N) * 2654435761u + i, sink += x, x ^= sink >> 31, x += (x >> 9) % (N + i + 3);
#define TURNS TURN(1) TURN(2) TURN(3) TURN(4) TURN(5) TURN(6) TURN(7) TURN(8) TURN(9) TURN(10) TURN(11) TURN(12) TURN(13) \
  TURN(14) TURN(15) TURN(16) TURN(17) TURN(18) TURN(19) TURN(20)

// Functions that are finished early, and the only ones to call what nobody else would keep.
template <unsigned N> struct Kept {
  static unsigned count;
  NOINLINE static unsigned helper(unsigned x) { return x * N + ++count; }
};
template <unsigned N> unsigned Kept<N>::count = N;
inline unsigned kept_variable = 4;

template <unsigned N> struct Step final : Base {
  std::map<unsigned, std::string> seen;
  NOINLINE unsigned step(unsigned x) override {
    for (unsigned i = 0; i < 8; ++i) {
      TURN(1)
      if (x % 97 == N % 97)
        throw Error(x % 1000 + N);
      seen[x % 5] += std::to_string(N);
    }
    trail.push_back(x % 10);
    return x + seen.size() + counted();
  }
};

template <unsigned N> struct Registered {
  static Base *instance;
};
template <unsigned N> Base *Registered<N>::instance = new Step<N>;

template <unsigned N> void collect(std::vector<Base *> &all) {
  all.push_back(Registered<N>::instance);
  if constexpr (N > 0)
    collect<N - 1>(all);
}

#define TEN(M, n) M(n##0) M(n##1) M(n##2) M(n##3) M(n##4) M(n##5) M(n##6) M(n##7) M(n##8) M(n##9)
#define FUNCTIONS(M) TEN(M, 1) TEN(M, 2) TEN(M, 3) TEN(M, 4) TEN(M, 5) TEN(M, 6)
#define PLAIN(N)                                                                                                       \
  unsigned plain##N(unsigned x) {                                                                                      \
    TURNS return Kept<N>::helper(x) + kept_variable;                                                                   \
  }
namespace {
constexpr unsigned N = 7;
}
FUNCTIONS(PLAIN)

int main() {
  std::vector<Base *> all;
  collect<49>(all);
  unsigned x = 1, caught = 0;
  for (unsigned round = 0; round < 6; ++round)
    for (Base *step : all) {
      try {
        x = step->step(x);
      } catch (const Error &error) {
        caught += error.code + std::string(error.what()).size();
        x ^= error.code;
      }
    }
  // The others are exports that nobody here calls.
  x += plain10(x) ^ plain69(x);
  std::printf("steps %u\n", x);
  std::printf("caught %u\n", caught);
  std::printf("counted %u\n", counted());
  std::printf("trail %zu\n", trail.size());
  std::printf("first %s\n", dynamic_cast<Step<49> *>(all[0]) ? "49" : "another");
  std::printf("second %s\n", dynamic_cast<Step<49> *>(all[1]) ? "49" : "another");
  for (Base *step : all)
    delete step;
  return 0;
}
