// Alignment beyond a word, to a page: for data, zeros, constants and functions.
// flags: -O0 | -O2
// stdout: 0 0 0 0 0
#include <stdint.h>
#include <stdio.h>

int data __attribute__((aligned(1024))) = 1;
int zeros[3] __attribute__((aligned(4096)));
const int constants[2] __attribute__((aligned(256))) = {1, 2};
static char odd[3] = {1, 2, 3};
_Thread_local int local __attribute__((aligned(64))) = 3;
__attribute__((aligned(128), noinline)) int function(void) { return odd[1]; }

int main(void) {
  printf("%d %d %d %d %d\n", (int)((uintptr_t)&data % 1024), (int)((uintptr_t)zeros % 4096),
         (int)((uintptr_t)constants % 256), (int)((uintptr_t)function % 128), (int)((uintptr_t)&local % 64));
  return function() - 2 + zeros[1] + constants[0] - data + local - 3;
}
