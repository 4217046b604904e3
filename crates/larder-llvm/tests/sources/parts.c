// A program that is large enough to be split, with everything in it whose parts have to find each other again.

#include <stdio.h>

#ifdef SMALL
#define FUNCTIONS(M) M(0) M(1) M(2)
#define COUNT 3
#else
#define TEN(M, n) M(n##0) M(n##1) M(n##2) M(n##3) M(n##4) M(n##5) M(n##6) M(n##7) M(n##8) M(n##9)
#define FUNCTIONS(M) TEN(M, 1) TEN(M, 2) TEN(M, 3) TEN(M, 4) TEN(M, 5) TEN(M, 6) TEN(M, 7) TEN(M, 8) TEN(M, 9)
#define COUNT 90
#endif
#define NOINLINE __attribute__((noinline))

#ifdef MODULE_ASSEMBLY
__asm__(".pushsection .note.parts,\"\",@note\n.popsection");
#endif
#ifdef OTHER
int other_module;
#endif

// Shared between parts: local, thread-local, weak, constant, tentative.
static unsigned shared_table[64] = {1, 2, 3};
static __thread unsigned shared_thread_local = 5;
static const unsigned char shared_constants[] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 255, 254, 253};
__attribute__((weak)) unsigned shared_weak = 11;
unsigned shared_tentative;
static volatile unsigned shared_volatile;

// One place under two names, used here and far behind.
unsigned public_place = 1;
extern unsigned public_second_name __attribute__((alias("public_place")));
NOINLINE unsigned public_read(void) { return public_place; }

// About three hundred instructions that nothing can remove.
#define STEP(n, i)                                                                                                     \
  x = (x ^ shared_table[(x + i) & 63]) * 2654435761u + shared_constants[(x >> 3) % 13];                                \
  shared_table[(x >> 7) & 63] += x ^ n;                                                                                \
  shared_volatile += x;                                                                                                \
  if (x & (1u << (i & 31)))                                                                                            \
    shared_thread_local += x >> 5;
#define STEPS(n) STEP(n, 1) STEP(n, 2) STEP(n, 3) STEP(n, 4) STEP(n, 5) STEP(n, 6) STEP(n, 7) STEP(n, 8)
#define DEFINE(n)                                                                                                      \
  static NOINLINE unsigned step##n(unsigned x) {                                                                       \
    static unsigned calls;                                                                                             \
    ++calls;                                                                                                           \
    STEPS(n)                                                                                                           \
    return x + calls;                                                                                                  \
  }                                                                                                                    \
  unsigned public##n(unsigned x) { return step##n(x) ^ step##n(x + 1); }
FUNCTIONS(DEFINE)

#define ENTRY(n) public##n,
static unsigned (*const table[])(unsigned) = {FUNCTIONS(ENTRY)};
#define NAME(n) "name " #n,
static const char *const names[] = {FUNCTIONS(NAME)};

// An alias, an ifunc, a block address in a table, constructors in order, a section with its bounds.
unsigned aliased(unsigned x) __attribute__((alias("public11")));
static unsigned chosen_now(unsigned x) { return x * 3; }
static unsigned chosen_never(unsigned x) { return x * 5; }
static void *choose(void) { return shared_constants[0] == 9 ? (void *)chosen_now : (void *)chosen_never; }
unsigned chosen(unsigned x) __attribute__((ifunc("choose")));
#ifdef SMALL
unsigned public11(unsigned x) { return x; }
#endif

static NOINLINE unsigned interpret(const unsigned char *code, unsigned x) {
  static const void *const labels[] = {&&add, &&twice, &&end};
  goto *labels[*code];
add:
  x += 3;
  goto *labels[*++code];
twice:
  x *= 2;
  goto *labels[*++code];
end:
  return x;
}

NOINLINE unsigned public_overlap(unsigned x) {
  public_place = x;
  public_second_name = x + 1;
  return public_place;
}

static char order[8];
static unsigned order_length;
__attribute__((constructor(202))) static void second(void) { order[order_length++] = '2'; }
__attribute__((constructor(201))) static void first(void) { order[order_length++] = '1'; }
__attribute__((constructor)) static void third(void) { order[order_length++] = '3'; }
__attribute__((destructor)) static void last(void) { printf("last\n"); }

static unsigned registered1 __attribute__((section("registered"), used)) = 100;
static unsigned registered2 __attribute__((section("registered"), used)) = 23;
extern unsigned __start_registered[], __stop_registered[];

int main(void) {
  unsigned x = 1;
  for (unsigned round = 0; round < 3; ++round)
    for (unsigned i = 0; i < COUNT; ++i)
      x = table[i](x) + names[i][5];
  printf("table %u\n", x);
  printf("shared %u %u %u %u\n", shared_table[7], shared_thread_local, shared_weak, shared_tentative);
  printf("alias %d %u\n", aliased == public11, aliased(4));
  unsigned overlap = public_overlap(6);
  printf("overlap %u %u %d\n", overlap, public_read(), &public_place == &public_second_name);
  printf("ifunc %u\n", chosen(14));
  printf("labels %u\n", interpret((const unsigned char[]){0, 1, 1, 0, 2}, 1));
  printf("order %s\n", order);
  unsigned sum = 0;
  for (unsigned *at = __start_registered; at != __stop_registered; ++at)
    sum += *at;
  printf("registered %u %u\n", sum, registered1 - registered2);
  return 0;
}
