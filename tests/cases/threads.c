// POSIX threads: mutex, condition, keys with destructors, once, cancellation-free join of results.
// stdout: once
// stdout: 0 1 4 9
// stdout: destroyed 4
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static intptr_t turn;
static int destroyed;

static void destroy(void *value) {
  pthread_mutex_lock(&mutex);
  destroyed++;
  pthread_mutex_unlock(&mutex);
}
static void initialise(void) {
  puts("once");
  pthread_key_create(&key, destroy);
}
static void *work(void *argument) {
  intptr_t mine = (intptr_t)argument;
  pthread_once(&once, initialise);
  pthread_setspecific(key, &turn);
  pthread_mutex_lock(&mutex);
  while (turn != mine)
    pthread_cond_wait(&turn_changed, &mutex);
  turn++;
  pthread_cond_broadcast(&turn_changed);
  pthread_mutex_unlock(&mutex);
  return (void *)(mine * mine);
}

int main(void) {
  pthread_t threads[4];
  for (intptr_t i = 0; i < 4; i++)
    pthread_create(&threads[i], NULL, work, (void *)i);
  for (int i = 0; i < 4; i++) {
    void *result;
    pthread_join(threads[i], &result);
    printf("%d%c", (int)(intptr_t)result, i < 3 ? ' ' : '\n');
  }
  printf("destroyed %d\n", destroyed);
  return 0;
}
