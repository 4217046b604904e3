// Functions that resolvers choose when the program is loaded: called, compared, in tables, under other names, from constructors, and
// a resolver that itself calls externals.
// flags: -O0 | -O2
// skip-lli: JITLink does not read objects with indirect functions
// stdout: constructor: 1499500
// stdout: 1499500 1499500 1499500
// stdout: same: 1
// stdout: chosen by strlen: 7
// stdout: hidden: 8
#include <stdio.h>
#include <string.h>

__attribute__((target_clones("avx2", "sse4.2", "default"))) int sum(const int *numbers, int count) {
  int sum = 0;
  for (int i = 0; i < count; i++)
    sum += numbers[i];
  return sum;
}

static int numbers[1000];

__attribute__((constructor)) static void before_main(void) {
  for (int i = 0; i < 1000; i++)
    numbers[i] = 3 * i + 1;
  printf("constructor: %d\n", sum(numbers, 1000));
}

static int seven(void) { return 7; }
static int eight(void) { return 8; }
static int nine(void) { return 9; }

static int (*choose(void))(void) { return strlen("seven") == 5 ? seven : nine; }
int number(void) __attribute__((ifunc("choose")));
extern int other_name(void) __attribute__((alias("number")));

static int (*choose_hidden(void))(void) { return eight; }
__attribute__((visibility("hidden"))) int hidden_number(void) __attribute__((ifunc("choose_hidden")));

typedef int Sum(const int *, int);
Sum *const table[] = {sum, sum};
int (*volatile pointer)(void) = number;
int (*volatile other_pointer)(void) = other_name;

__attribute__((noinline)) static Sum *address(void) { return sum; }

int main(void) {
  printf("%d %d %d\n", sum(numbers, 1000), table[1](numbers, 1000), address()(numbers, 1000));
  printf("same: %d\n", table[0] == table[1]);
  printf("chosen by strlen: %d\n", pointer());
  printf("hidden: %d\n", hidden_number());
  return 0;
}
