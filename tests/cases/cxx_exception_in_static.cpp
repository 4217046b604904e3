// A constructor that throws leaves a function's static uninitialised: the next call tries again.
// stdout: tried 1
// stdout: tried 2
// stdout: 2
#include <cstdio>

struct Stubborn {
  int attempt;
  Stubborn() {
    static int attempts;
    attempt = ++attempts;
    std::printf("tried %d\n", attempt);
    if (attempt == 1)
      throw attempt;
  }
};
[[gnu::noinline]] static int get() {
  static Stubborn stubborn;
  return stubborn.attempt;
}

int main() {
  try {
    get();
  } catch (int) {
  }
  get();
  std::printf("%d\n", get());
}
