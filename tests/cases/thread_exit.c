// pthread_exit from main: the process lives until the last thread ends, and then exits with 0.
// stdout: main leaves
// stdout: thread ends
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static sem_t left;
static void *work(void *argument) {
  sem_wait(&left);
  puts("thread ends");
  return argument;
}

int main(void) {
  pthread_t thread;
  sem_init(&left, 0, 0);
  pthread_create(&thread, NULL, work, NULL);
  puts("main leaves");
  sem_post(&left);
  pthread_exit(NULL);
}
