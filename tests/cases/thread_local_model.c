// Thread-local variables whose declared model (initial and local exec) a late loader can't grant.
// flags: -O2 -ftls-model=initial-exec | -O2 -fno-pic | -O2 -ftls-model=local-dynamic
// stdout: 8 3
#include <stdio.h>

_Thread_local int exported = 7;
static _Thread_local int internal = 2;

int main(void) {
  exported++, internal++;
  printf("%d %d\n", exported, internal);
  return 0;
}
