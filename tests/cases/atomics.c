// Atomic operations of 1 to 8 bytes inline, under contention; 16 bytes are a call of libatomic and not here.
// stdout: 400000 100000
// stdout: 1 7
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_int counter;
static atomic_uchar small;
static _Atomic long long maximum;

static void *work(void *argument) {
  for (int i = 0; i < 100000; i++) {
    atomic_fetch_add(&counter, 1);
    atomic_fetch_xor_explicit(&small, 1, memory_order_relaxed);
    long long seen = maximum;
    while (seen < i + 1 && !atomic_compare_exchange_weak(&maximum, &seen, i + 1))
      ;
  }
  return argument;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  printf("%d %lld\n", counter, maximum);
  atomic_int expected = 7;
  int value = 7;
  printf("%d %d\n", atomic_compare_exchange_strong(&expected, &value, 9), value);
  return small;
}
