// A function of more than two mebibytes: its loop, its branches, its jump table and the addresses of its labels all reach that far.
// flags: -O0 | -O2
// skip-lli: it crashes when it clones a table of labels
// stdout: 1800015 300005
// stdout: 300000 300010 300110 300010 300000
// stdout: far apart
#include <stdio.h>

static volatile unsigned long seed = 5, rounds = 3;
static long distance;

#define STEPS(x) __asm__ volatile(".rept 150000\n\taddq $2, %0\n\t.endr" : "+r"(x))

__attribute__((noinline)) static unsigned long straight(unsigned long x, unsigned long mask) {
  for (unsigned long round = 0; round < rounds; round++) {
    STEPS(x);
    if (x & mask)
      goto out;
    x += seed;
    STEPS(x);
  }
out:
  return x;
}

__attribute__((noinline)) static unsigned long jumping(unsigned which) {
  static void *const labels[] = {&&end, &&far, &&near};
  unsigned long x = 0;
  distance = (char *)labels[1] - (char *)labels[2];
  switch (which % 5) {
  case 0:
    break;
  case 1:
    x += 10;
    break;
  case 2:
    x += 100;
  near:
    x += 10;
    STEPS(x);
    goto *labels[which / 5 % 3];
  case 3:
    x += 10;
    __attribute__((fallthrough));
  case 4:
    break;
  }
  STEPS(x);
far:
  seed++;
end:
  return x;
}

int main(void) {
  unsigned long whole = straight(seed - 5, 0), part = straight(seed, 1);
  printf("%lu %lu\n", whole, part);
  printf("%lu %lu %lu %lu %lu\n", jumping(0), jumping(1), jumping(7), jumping(3), jumping(4));
  puts(distance > 1 << 19 ? "far apart" : "near");
  return 0;
}
