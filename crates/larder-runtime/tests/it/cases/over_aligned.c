#include <stdint.h>
static __thread char aligned[100] __attribute__((aligned(65536)));
__thread int number = 3;
// Answers 3, and one more each time, in each thread.
int count(void) { return (uintptr_t)aligned % 65536 == 0 && aligned[99] == 0 ? number++ : -1; }
