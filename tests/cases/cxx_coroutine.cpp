// Coroutines: frames split by LLVM's own passes, resumed through pointers in data.
// flags: -O0 -std=c++20 | -O2 -std=c++20
// stdout: 0 1 1 2 3 5 8 13 21 34
#include <coroutine>
#include <cstdio>
#include <utility>

struct Numbers {
  struct promise_type {
    int current;
    Numbers get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(int value) { return current = value, std::suspend_always{}; }
    void return_void() {}
    void unhandled_exception() { throw; }
  };
  std::coroutine_handle<promise_type> handle;
  ~Numbers() { handle.destroy(); }
};

static Numbers fibonacci() {
  for (int a = 0, b = 1;; a = std::exchange(b, a + b))
    co_yield a;
}

int main() {
  Numbers numbers = fibonacci();
  for (int i = 0; i < 10; i++) {
    numbers.handle.resume();
    std::printf("%d%c", numbers.handle.promise().current, i < 9 ? ' ' : '\n');
  }
}
