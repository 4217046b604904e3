// errno is the thread's, and the C library's own.
// stdout: 2 34 0
// stdout: No such file or directory
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *work(void *argument) {
  errno = 0;
  strtol("99999999999999999999999", NULL, 10);
  *(int *)argument = errno;
  return NULL;
}

int main(void) {
  int other;
  pthread_t thread;
  open("/nonexistent/file", O_RDONLY);
  pthread_create(&thread, NULL, work, &other);
  pthread_join(thread, NULL);
  int mine = errno;
  errno = 0;
  printf("%d %d %d\n", mine, other, errno);
  printf("%s\n", strerror(mine));
  return 0;
}
