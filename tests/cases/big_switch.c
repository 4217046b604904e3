// A switch of 1500 cases: a jump table of several pages.
// flags: -O0 | -O2
#include <stdio.h>

#define FOUR(n) \
  case n: return x * (n + 1) % 1009; \
  case n + 1: return x ^ (n * 7); \
  case n + 2: return puts("side effect") < 0 ? 0 : n; \
  case n + 3: return x - n;
#define TWENTY(n) FOUR(n) FOUR(n + 4) FOUR(n + 8) FOUR(n + 12) FOUR(n + 16)
#define HUNDRED(n) TWENTY(n) TWENTY(n + 20) TWENTY(n + 40) TWENTY(n + 60) TWENTY(n + 80)
#define FIVE_HUNDRED(n) HUNDRED(n) HUNDRED(n + 100) HUNDRED(n + 200) HUNDRED(n + 300) HUNDRED(n + 400)

__attribute__((noinline)) static int act(int state, int x) {
  switch (state) {
    FIVE_HUNDRED(0)
    FIVE_HUNDRED(500)
    FIVE_HUNDRED(1000)
  }
  return -1;
}

int main(void) {
  unsigned sum = 0;
  for (int i = -1; i < 1502; i++)
    sum = sum * 31 + (unsigned)act(i, i + 3);
  printf("%u\n", sum);
  return 0;
}
