// Exceptions out of callbacks of the C library: whatever it compiles with unwind tables lets them through.
// flags: -O0 | -O2
#include <cstdio>
#include <cstdlib>
#include <ftw.h>
#include <link.h>
#include <pthread.h>
#include <search.h>
#include <stdexcept>

static const char *current;
[[noreturn]] static void raise_it() { throw std::runtime_error(current); }
static int compare(const void *, const void *) { raise_it(); }

static void by_bsearch() {
  int numbers[] = {1, 2, 3};
  bsearch(numbers, numbers, 3, sizeof *numbers, compare);
}
static void by_qsort_r() {
  int numbers[] = {3, 2, 1};
  qsort_r(numbers, 3, sizeof *numbers, [](const void *, const void *, void *) -> int { raise_it(); }, nullptr);
}
static void by_lfind() {
  int numbers[] = {1, 2, 3};
  std::size_t count = 3;
  lfind(numbers, numbers, &count, sizeof *numbers, compare);
}
static void by_tsearch() {
  void *root = nullptr;
  int numbers[] = {1, 2};
  tsearch(&numbers[0], &root, compare);
  tsearch(&numbers[1], &root, compare);
}
static void by_twalk() {
  void *root = nullptr;
  int number = 1;
  tsearch(&number, &root, compare);
  twalk(root, [](const void *, VISIT, int) { raise_it(); });
}
static void by_dl_iterate_phdr() {
  dl_iterate_phdr([](dl_phdr_info *, std::size_t, void *) -> int { raise_it(); }, nullptr);
}
static void by_once() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, raise_it);
}

int main() {
  struct {
    const char *name;
    void (*run)();
  } all[] = {{"bsearch", by_bsearch}, {"qsort_r", by_qsort_r},   {"lfind", by_lfind},
             {"tsearch", by_tsearch}, {"twalk", by_twalk},       {"dl_iterate_phdr", by_dl_iterate_phdr},
             {"once", by_once},       {"once again", by_once}};
  for (auto &one : all)
    for (int round = 0; round < 2; round++)
      try {
        current = one.name;
        one.run();
        std::printf("%s returns\n", one.name);
      } catch (const std::exception &e) {
        std::printf("%s\n", e.what());
      }
}
