// 16 bytes at once, and more, where the processor is not known to have an instruction for it: calls of libatomic.
// flags: -O0 -mno-cx16 -pthread -latomic | -O2 -mno-cx16 -pthread -latomic
// larder-flags: --load libatomic.so.1
// skip-lli: it loads no library by its name alone
// stdout: 40000 80000 40000
// stdout: 1 40000 7
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

typedef unsigned __int128 wide;
struct triple {
  long first, second, third;
};
static _Alignas(16) wide counter;
static _Atomic struct triple triples;

static void *work(void *argument) {
  for (int i = 0; i < 10000; i++) {
    wide seen = __atomic_load_n(&counter, __ATOMIC_RELAXED), next;
    do
      next = (((seen >> 64) + 2) << 64) | ((unsigned long)seen + 1);
    while (!__atomic_compare_exchange_n(&counter, &seen, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    struct triple old = atomic_load(&triples), new;
    do
      new = (struct triple){old.first + 1, old.second + 2, old.third + 1};
    while (!atomic_compare_exchange_weak(&triples, &old, new));
  }
  return argument;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  struct triple all = atomic_load(&triples);
  printf("%lu %ld %ld\n", (unsigned long)counter, all.second, all.third);
  wide old = __atomic_exchange_n(&counter, 7, __ATOMIC_ACQ_REL);
  printf("%d %lu %lu\n", old >> 64 == 80000, (unsigned long)old, (unsigned long)__atomic_load_n(&counter, __ATOMIC_ACQUIRE));
  return 0;
}
