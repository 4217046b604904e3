// 16 bytes at once: cmpxchg16b inline, where the processor is known to have it.
// flags: -O0 -mcx16 -pthread | -O2 -mcx16 -pthread
// stdout: 40000 80000
#include <pthread.h>
#include <stdio.h>

typedef unsigned __int128 wide;
static _Alignas(16) wide counter;

static void *work(void *argument) {
  for (int i = 0; i < 10000; i++) {
    wide seen = __atomic_load_n(&counter, __ATOMIC_RELAXED), next;
    do
      next = (((seen >> 64) + 2) << 64) | ((unsigned long)seen + 1);
    while (!__atomic_compare_exchange_n(&counter, &seen, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  }
  return argument;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  printf("%lu %lu\n", (unsigned long)counter, (unsigned long)(counter >> 64));
  return 0;
}
