// Thread-local variables that libstdc++ defines, through which a call_once tells what it calls; futures and async are built on it.
// flags: -O0 | -O2 | -O1 -ftls-model=initial-exec
// stdout: once 1
// stdout: sum 499500
// stdout: thrown: from the task
// stdout: promised 7
// stdout: once in 8 threads: 1
// skip-lli: its JIT linker has no thread-local variables of other objects
#include <cstdio>
#include <future>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

static std::once_flag first, second;

int main() {
  int count = 0;
  for (int i = 0; i < 3; i++)
    std::call_once(first, [&] { count++; });
  std::printf("once %d\n", count);

  auto sum = std::async(std::launch::async, [] {
    long sum = 0;
    for (int i = 0; i < 1000; i++)
      sum += i;
    return sum;
  });
  std::printf("sum %ld\n", sum.get());

  std::packaged_task<int()> task([]() -> int { throw std::runtime_error("from the task"); });
  auto result = task.get_future();
  std::thread(std::move(task)).join();
  try {
    result.get();
  } catch (const std::runtime_error &error) {
    std::printf("thrown: %s\n", error.what());
  }

  std::promise<int> promise;
  auto promised = promise.get_future();
  std::thread other([&] { promise.set_value(7); });
  std::printf("promised %d\n", promised.get());
  other.join();

  int in_threads = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++)
    threads.emplace_back([&] { std::call_once(second, [&] { in_threads++; }); });
  for (auto &thread : threads)
    thread.join();
  std::printf("once in 8 threads: %d\n", in_threads);
}
