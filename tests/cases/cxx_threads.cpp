// The library of threads: thread, mutex, condition_variable, locks.
// stdout: 0 1 2 3
// stdout: 40000
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

static std::mutex mutex;
static std::shared_mutex shared;
static std::condition_variable changed;
static int turn, sum;

int main() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++)
    threads.emplace_back([i] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [i] { return turn == i; });
      std::printf("%d%c", turn++, i < 3 ? ' ' : '\n');
      changed.notify_all();
      lock.unlock();
      for (int n = 0; n < 10000; n++) {
        std::lock_guard guard(shared);
        sum++;
      }
    });
  for (auto &thread : threads)
    thread.join();
  std::shared_lock lock(shared);
  std::printf("%d\n", sum);
}
