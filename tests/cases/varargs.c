// Variadic functions of the module: integers, floating point, structures, va_copy.
// flags: -O0 | -O2
// stdout: 10 7.5 xy
// stdout: 45 45
#include <stdarg.h>
#include <stdio.h>

struct pair {
  char x, y;
};

__attribute__((noinline)) static void mixed(int count, ...) {
  va_list list;
  va_start(list, count);
  int whole = 0;
  double fraction = 0;
  for (int i = 0; i < count; i++)
    whole += va_arg(list, int), fraction += va_arg(list, double);
  struct pair pair = va_arg(list, struct pair);
  printf("%d %g %c%c\n", whole, fraction, pair.x, pair.y);
  va_end(list);
}

__attribute__((noinline)) static int sum(int count, ...) {
  va_list list, copy;
  va_start(list, count);
  va_copy(copy, list);
  int first = 0, second = 0;
  for (int i = 0; i < count; i++)
    first += va_arg(list, int);
  for (int i = 0; i < count; i++)
    second += va_arg(copy, int);
  printf("%d %d\n", first, second);
  va_end(copy);
  va_end(list);
  return first;
}

int main(void) {
  mixed(4, 1, 0.5, 2, 1.5, 3, 2.5, 4, 3.0, (struct pair){'x', 'y'});
  return sum(9, 1, 2, 3, 4, 5, 6, 7, 8, 9) - 45;
}
