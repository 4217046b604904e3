// Coroutines that await each other: symmetric transfer a hundred thousand deep, exceptions through them, frames elided and not.
// flags: -O2 -std=c++20 | -O1 -std=c++20 -fno-pic
// stdout: sum 5000050000
// stdout: ~Guard ~Guard caught: of 2
// stdout: 0 2 4 6 8 | 1 3 5
// stdout: destroyed 3
#include <coroutine>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>

template <class T> struct Task {
  struct promise_type {
    T value{};
    std::exception_ptr error;
    std::coroutine_handle<> next = std::noop_coroutine();
    Task get_return_object() { return Task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept { return h.promise().next; }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    void return_value(T v) { value = v; }
    void unhandled_exception() { error = std::current_exception(); }
  };
  std::coroutine_handle<promise_type> handle;
  explicit Task(std::coroutine_handle<promise_type> h) : handle(h) {}
  Task(Task &&other) : handle(std::exchange(other.handle, nullptr)) {}
  ~Task() {
    if (handle)
      handle.destroy();
  }
  bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) {
    handle.promise().next = waiting;
    return handle;
  }
  T await_resume() {
    if (handle.promise().error)
      std::rethrow_exception(handle.promise().error);
    return handle.promise().value;
  }
  T run() {
    handle.resume();
    return await_resume();
  }
};

template <class T> struct Generator {
  struct promise_type {
    T value;
    Generator get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(T v) { return value = v, std::suspend_always{}; }
    void return_void() {}
    void unhandled_exception() { throw; }
  };
  std::coroutine_handle<promise_type> handle;
  Generator(std::coroutine_handle<promise_type> h) : handle(h) {}
  Generator(const Generator &) = delete;
  ~Generator() { handle.destroy(); }
  bool next() { return handle.resume(), !handle.done(); }
};

static Task<long> one(long n) { co_return n; }
static Task<long> sum(long count) {
  long total = 0;
  for (long n = 1; n <= count; n++)
    total += co_await one(n);
  co_return total;
}
struct Guard {
  ~Guard() { std::printf("~Guard "); }
};
static Task<int> fail(int depth) {
  Guard guard;
  if (depth == 2)
    throw std::runtime_error("of 2");
  co_return co_await fail(depth + 1) + 1;
}
static int destroyed;
struct Count {
  ~Count() { destroyed++; }
};
static Generator<int> step(int from, int by, int limit) {
  Count count;
  for (int n = from; n < limit; n += by)
    co_yield n;
}

int main() {
  std::printf("sum %ld\n", sum(100000).run());
  try {
    fail(1).run();
  } catch (const std::exception &e) {
    std::printf("caught: %s\n", e.what());
  }
  {
    Generator<int> even = step(0, 2, 10), odd = step(1, 2, 100), unused = step(0, 1, 1);
    while (even.next())
      std::printf("%d ", even.handle.promise().value);
    std::printf("|");
    for (int i = 0; i < 3 && odd.next(); i++)
      std::printf(" %d", odd.handle.promise().value);
    unused.next();
  }
  std::printf("\ndestroyed %d\n", destroyed);
}
