// Exceptions in several threads at once, and one carried from thread to thread.
// stdout: 4000 caught
// stdout: carried
#include <atomic>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <thread>
#include <vector>

int main() {
  std::atomic<int> caught{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++)
    threads.emplace_back([&caught] {
      for (int i = 0; i < 1000; i++)
        try {
          throw std::logic_error("x");
        } catch (const std::exception &) {
          ++caught;
        }
    });
  for (auto &thread : threads)
    thread.join();
  std::printf("%d caught\n", caught.load());
  std::exception_ptr carried;
  std::thread([&] {
    try {
      throw std::runtime_error("carried");
    } catch (...) {
      carried = std::current_exception();
    }
  }).join();
  try {
    std::rethrow_exception(carried);
  } catch (const std::runtime_error &e) {
    std::puts(e.what());
  }
}
