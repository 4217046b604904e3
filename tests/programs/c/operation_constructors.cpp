// What it costs to construct a thousand static objects, each registered to be destroyed: from the first of them to main.
// Prints a sum on standard output, and nanoseconds of one object on standard error.
#include <cstdio>
#include <ctime>

static double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

static long sum;
struct Object {
  long number;
  [[gnu::noinline]] explicit Object(long n) : number(n) { sum += n * n; }
  [[gnu::noinline]] ~Object() { sum -= number; }
};

static double start = now();
// Names are made of digits, of which the first isn't zero: numbers with a leading zero are octal.
#define ONE(n) static Object object_##n(n);
#define TEN(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7) ONE(n##8) ONE(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
HUNDRED(1) HUNDRED(2) HUNDRED(3) HUNDRED(4) HUNDRED(5) HUNDRED(6) HUNDRED(7) HUNDRED(8) HUNDRED(9) HUNDRED(10)

int main() {
  double each = (now() - start) / 1000;
  std::printf("%ld\n", sum);
  std::fprintf(stderr, "%.3f\n", each);
}
