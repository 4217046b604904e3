// Cancelling and leaving a thread unwind its frames: destructors and cleanup handlers run, catch (...) must pass it on.
// flags: -O0 -pthread | -O2 -pthread
// stdout: seen
// stdout: ~Guard cancelled
// stdout: canceled: 1
// stdout: handler
// stdout: ~Guard left
// stdout: left with 42
#include <cstdio>
#include <cxxabi.h>
#include <pthread.h>
#include <unistd.h>

struct Guard {
  const char *name;
  ~Guard() { std::printf("~Guard %s\n", name); }
};
static int ends[2];

static void *cancelled(void *) {
  Guard guard{"cancelled"};
  try {
    char letter;
    write(ends[1], "x", 1);
    for (;;)
      pause();
    read(ends[0], &letter, 1);
  } catch (abi::__forced_unwind &) {
    std::puts("seen");
    throw;
  } catch (...) {
    std::puts("never");
    throw;
  }
  return nullptr;
}
static void handler(void *) { std::puts("handler"); }
[[gnu::noinline]] static void leave() {
  Guard guard{"left"};
  pthread_cleanup_push(handler, nullptr);
  pthread_exit(reinterpret_cast<void *>(42));
  pthread_cleanup_pop(0);
}
static void *leaving(void *) {
  leave();
  return nullptr;
}

int main() {
  pthread_t thread;
  void *result;
  char letter;
  pipe(ends);
  pthread_create(&thread, nullptr, cancelled, nullptr);
  read(ends[0], &letter, 1);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  std::printf("canceled: %d\n", result == PTHREAD_CANCELED);
  pthread_create(&thread, nullptr, leaving, nullptr);
  pthread_join(thread, &result);
  std::printf("left with %ld\n", reinterpret_cast<long>(result));
}
