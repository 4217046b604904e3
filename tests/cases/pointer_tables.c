// Tables of pointers to functions, to imports, to data inside and outside, with offsets and cycles.
// flags: -O0 | -O2
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int twice(int x) { return 2 * x; }
static int square(int x) { return x * x; }
int negate(int x) { return -x; }

typedef int (*function)(int);
static const function constant[] = {twice, square, negate, toupper, abs};
function writable[] = {abs, negate, square, NULL, twice};

static int numbers[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
int *const inside[] = {&numbers[3], numbers + 9, numbers, numbers + 10};
FILE **const outside = &stdout;
static size_t (*const length)(const char *) = strlen;

struct node {
  const char *name;
  struct node *next;
};
extern struct node tail;
struct node head = {"head", &tail};
struct node tail = {"tail", &head};

static const char *const words[] = {"alpha", "beta", "alphabet" + 5, NULL};

int main(void) {
  for (unsigned i = 0; i < sizeof constant / sizeof *constant; i++)
    printf("%d %d\n", constant[i]('a' - (int)i), writable[i] ? writable[i](-7) : 0);
  writable[3] = constant[1];
  printf("%d %d %td\n", writable[3](12), *inside[0] + *inside[1], inside[3] - inside[2]);
  fprintf(*outside, "%zu %s %s\n", length("five!"), head.next->next->name, tail.next->next->name);
  for (const char *const *word = words; *word; word++)
    printf("%s\n", *word);
  printf("%d %d\n", constant[3] == toupper, writable[0] == abs);
  return 0;
}
