// Everything that must end in std::terminate, each in a child: what the handler sees, and how the child ends.
// flags: -O0 -pthread | -O2 -pthread | -O1 -pthread -fno-asynchronous-unwind-tables
// skip-lli: handlers registered with it run when main returns, not when the program calls exit
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

[[gnu::noinline]] static void raise_it() { throw std::runtime_error("reason"); }
static void quiet() noexcept { raise_it(); }
struct Throws {
  ~Throws() noexcept(false) { throw 2; }
};
struct ThrowsQuietly {
  ~ThrowsQuietly() { throw 3; }
};

static void of_noexcept() { quiet(); }
static void of_noexcept_with_catch() {
  try {
    quiet();
  } catch (...) {
    std::puts("never");
  }
}
static void of_second_exception() {
  try {
    Throws throws;
    raise_it();
  } catch (...) {
    std::puts("never");
  }
}
static void of_destructor() {
  try {
    ThrowsQuietly throws;
  } catch (...) {
    std::puts("never");
  }
}
static void of_nothing() { throw; }
static void of_no_catch() { raise_it(); }
static void of_thread() { std::thread(raise_it).join(); }
static void of_exit_handler() {
  std::atexit([] { throw 4; });
  std::exit(0);
}
static void fine() {
  try {
    Throws throws;
  } catch (int n) {
    std::printf("caught %d\n", n);
  }
}

static void handler() {
  if (auto current = std::current_exception())
    try {
      std::rethrow_exception(current);
    } catch (const std::exception &e) {
      std::printf("terminated by %s\n", e.what());
    } catch (int n) {
      std::printf("terminated by %d\n", n);
    }
  else
    std::puts("terminated by nothing");
  std::fflush(stdout);
  std::_Exit(9);
}

int main() {
  void (*const all[])() = {of_noexcept, of_noexcept_with_catch, of_second_exception, of_destructor, of_nothing,
                           of_no_catch, of_thread, of_exit_handler, fine};
  int number = 0;
  for (auto *one : all)
    for (bool handled : {true, false}) {
      std::fflush(stdout);
      if (pid_t child = fork()) {
        int status = 0;
        waitpid(child, &status, 0);
        std::printf("%d%s: exit %d, signal %d\n", number, handled ? " handled" : "", WEXITSTATUS(status),
                    WTERMSIG(status));
      } else {
        if (handled)
          std::set_terminate(handler);
        one();
        std::exit(0);
      }
      number += !handled;
    }
}
