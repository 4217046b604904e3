// Futures and call_once of libstdc++, whose inline functions use thread-local variables that the library defines.
// skip-lli: finds no thread-local variables of libraries
// stdout: 4950 499500
// stdout: once
// stdout: 0 1 2 3
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

static std::mutex mutex;
static std::condition_variable changed;
static std::once_flag flag;
static int turn;

int main() {
  auto sum = [](int n) { long s = 0; for (int i = 0; i < n; i++) s += i; return s; };
  auto small = std::async(std::launch::async, sum, 100);
  std::packaged_task<long(int)> task(sum);
  auto large = task.get_future();
  std::thread(std::move(task), 1000).join();
  std::printf("%ld %ld\n", small.get(), large.get());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([i] {
      std::call_once(flag, [] { std::puts("once"); });
      std::unique_lock lock(mutex);
      changed.wait(lock, [i] { return turn == i; });
      std::printf("%d%c", turn++, i < 3 ? ' ' : '\n');
      changed.notify_all();
    });
  for (auto &thread : threads)
    thread.join();
}
