#define STEP(n) x = x * 6364136223846793005u + n, y ^= x >> 7;
#define STEPS(n) STEP(n) STEP(n + 1) STEP(n + 2) STEP(n + 3) STEP(n + 4) STEP(n + 5) STEP(n + 6) STEP(n + 7)
#define FUNCTION(n) \
  __attribute__((noinline)) static unsigned long function##n(volatile unsigned long x) { \
    volatile unsigned long y = 0; \
    STEPS(n) STEPS(n + 8) STEPS(n + 16) STEPS(n + 24) \
    own_calls++; \
    return y; \
  }
#define EIGHT(of, n) of(n##0) of(n##1) of(n##2) of(n##3) of(n##4) of(n##5) of(n##6) of(n##7)
#define ALL(of) EIGHT(of, 1) EIGHT(of, 2) EIGHT(of, 3) EIGHT(of, 4) EIGHT(of, 5) EIGHT(of, 6) EIGHT(of, 7) EIGHT(of, 8) \
  EIGHT(of, 11) EIGHT(of, 12) EIGHT(of, 13) EIGHT(of, 14) EIGHT(of, 15) EIGHT(of, 16) EIGHT(of, 17) EIGHT(of, 18)
#define NAME(n) function##n,

extern int module_count, calls[2];
static int own_calls;

ALL(FUNCTION)

static unsigned long (*const functions[])(volatile unsigned long) = {ALL(NAME)};

__attribute__((constructor)) static void call_all(void) {
  for (unsigned n = 0; n < sizeof functions / sizeof *functions; n++)
    functions[n](n);
  calls[module_count++] = own_calls;
}
