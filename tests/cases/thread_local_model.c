// Thread-local variables of every declared model, which another one may stand for.
// flags: -O2 -ftls-model=initial-exec | -O2 -fno-pic | -O2 -ftls-model=local-dynamic | -O2 -ftls-model=global-dynamic
// stdout: 8 3
#include <stdio.h>

_Thread_local int exported = 7;
static _Thread_local int internal = 2;

int main(void) {
  exported++, internal++;
  printf("%d %d\n", exported, internal);
  return 0;
}
