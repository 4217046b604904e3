// Lists of arguments passed on to other functions: every class of argument, both register areas used up, both conventions.
// flags: -O0 | -O2 | -O2 -mno-red-zone -fno-omit-frame-pointer
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xmmintrin.h>

struct small { char letters[3]; };
struct mixed { double x; long y; };
struct floats { float x, y, z; };
struct large { long numbers[5]; };
struct wide { long double x; };

__attribute__((noinline)) static void show(const char *kinds, va_list list) {
  for (; *kinds; kinds++)
    switch (*kinds) {
    case 'i': printf("%d ", va_arg(list, int)); break;
    case 'l': printf("%ld ", va_arg(list, long)); break;
    case 'd': printf("%g ", va_arg(list, double)); break;
    case 'L': printf("%Lg ", va_arg(list, long double)); break;
    case 'q': printf("%llx ", (unsigned long long)(va_arg(list, __int128) >> 60)); break;
    case 's': printf("%.3s ", va_arg(list, struct small).letters); break;
    case 'm': {
      struct mixed mixed = va_arg(list, struct mixed);
      printf("%g/%ld ", mixed.x, mixed.y);
      break;
    }
    case 'f': {
      struct floats floats = va_arg(list, struct floats);
      printf("%g/%g/%g ", floats.x, floats.y, floats.z);
      break;
    }
    case 'g': printf("%ld ", va_arg(list, struct large).numbers[4]); break;
    case 'w': printf("%Lg ", va_arg(list, struct wide).x); break;
    case 'v': {
      __m128 vector = va_arg(list, __m128);
      printf("%g ", vector[0] + vector[3]);
      break;
    }
    case 'p': printf("%s ", va_arg(list, char *)); break;
    }
}
__attribute__((noinline)) static void pass(const char *kinds, ...) {
  va_list list, again;
  va_start(list, kinds);
  va_copy(again, list);
  show(kinds, list);
  printf("| ");
  show(kinds, again);
  va_end(again);
  va_end(list);
  puts("");
}
__attribute__((noinline)) static void to_library(const char *format, ...) {
  char text[200];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  printf("%d: %s\n", length, text);
}
__attribute__((noinline, ms_abi)) static double of_windows(int count, ...) {
  __builtin_ms_va_list list;
  __builtin_ms_va_start(list, count);
  double sum = 0;
  for (int i = 0; i < count; i++)
    sum += i % 2 ? __builtin_va_arg(list, double) : __builtin_va_arg(list, int);
  __builtin_ms_va_end(list);
  return sum;
}

int main(void) {
  struct small small = {"abc"};
  struct mixed mixed = {1.5, 2};
  struct floats floats = {0.25f, 0.5f, 0.75f};
  struct large large = {{1, 2, 3, 4, 5}};
  struct wide wide = {6.5L};
  __m128 vector = {1, 2, 3, 4};
  pass("iiiiiiii", 1, 2, 3, 4, 5, 6, 7, 8);
  pass("dddddddddd", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10.);
  pass("idLidLidL", 1, 2., 3.L, 4, 5., 6.L, 7, 8., 9.L);
  pass("iqiqiq", 1, (__int128)2 << 60, 3, (__int128)4 << 60, 5, (__int128)6 << 60);
  pass("smfgwsmfgwsmfgw", small, mixed, floats, large, wide, small, mixed, floats, large, wide, small, mixed, floats,
       large, wide);
  pass("vdvLvpvivlvdv", vector, 1., vector, 2.L, vector, "text", vector, 3, vector, 4L, vector, 5., vector);
  to_library("%d %s %.3f %Lg %c %lld %p %*d", 1, "two", 3.0, 4.0L, '5', 6LL, (void *)7, 4, 8);
  printf("%g\n", of_windows(7, 1, 2.5, 3, 4.5, 5, 6.5, 7));
  return 0;
}
