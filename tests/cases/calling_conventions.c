// Calling conventions that C can name: arguments in other registers, registers saved by the other side.
// flags: -O0 | -O2 | -O2 -fno-pic | -O2 -mavx
#include <immintrin.h>
#include <stdio.h>

#define NOINLINE __attribute__((noinline))
struct pair { long a, b; };
typedef double __attribute__((vector_size(16))) two;

NOINLINE __attribute__((ms_abi)) static long windows(int a, double b, struct pair c, float d, long e, long f) {
  return a + (long)b + c.a + c.b + (long)d + e + f;
}
NOINLINE __attribute__((sysv_abi)) static long unix_like(int a, double b, struct pair c, float d, long e, long f) {
  return a + (long)b + c.a + c.b + (long)d + e + f;
}
NOINLINE __attribute__((ms_abi)) static long back_and_forth(long n) {
  return n ? n + unix_like(1, 2, (struct pair){3, 4}, 5, 6, n) : 0;
}
NOINLINE __attribute__((vectorcall)) static double vector_call(two a, two b, two c, two d, two e, two f, int g) {
  two sum = a + b + c + d + e + f;
  return sum[0] + sum[1] + g;
}
NOINLINE __attribute__((regcall)) static long reg_call(long a, long b, long c, long d, long e, long f, long g, long h,
                                                       long i, long j, double x, struct pair p) {
  return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j * 10 + (long)x + p.a + p.b;
}
NOINLINE __attribute__((preserve_most)) static void keep_most(long *at) { *at += 1; }
NOINLINE __attribute__((preserve_all)) static void keep_all(long *at) {
  __asm__ volatile("" ::: "xmm3", "xmm4", "xmm9", "rcx", "r9");
  *at += 2;
}
NOINLINE __attribute__((preserve_none)) static long keep_none(long a, long b, long c, long d, long e, long f, long g,
                                                              long h, long i, long j, long k, long l) {
  return a + b + c + d + e + f + g + h + i + j + k * l;
}
NOINLINE __attribute__((preserve_none)) static long steps(long n, long sum) {
  if (n)
    __attribute__((musttail)) return steps(n - 1, sum + n);
  return sum;
}
NOINLINE __attribute__((swiftcall)) static long swift(__attribute__((swift_context)) long *context, long a) {
  return *context + a;
}
NOINLINE __attribute__((swiftasynccall)) static void swift_steps(__attribute__((swift_async_context)) long *context,
                                                                 long n) {
  *context += n;
  if (n)
    __attribute__((musttail)) return swift_steps(context, n - 1);
}
NOINLINE __attribute__((no_caller_saved_registers, target("general-regs-only"))) static void save_all(long *at) {
  *at += 3;
}

int main(void) {
  volatile double live[4] = {1.5, 2.5, 3.5, 4.5};
  double a = live[0], b = live[1], c = live[2], d = live[3];
  long counter = 0;
  printf("%ld ", windows(1, 2.5, (struct pair){3, 4}, 5.5f, 6, 7));
  printf("%ld ", unix_like(1, 2.5, (struct pair){3, 4}, 5.5f, 6, 7));
  printf("%ld ", back_and_forth(8));
  two v = {1, 2};
  printf("%g ", vector_call(v, v, v, v, v, v, 7));
  printf("%ld\n", reg_call(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11.5, (struct pair){12, 13}));
  for (int i = 0; i < 10; i++) {
    keep_most(&counter);
    keep_all(&counter);
    save_all(&counter);
    a += b, b += c, c += d;
  }
  printf("%ld %g %g %g %g\n", counter, a, b, c, d);
  printf("%ld %ld\n", keep_none(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), steps(1000000, 0));
  counter = 40;
  printf("%ld ", swift(&counter, 2));
  swift_steps(&counter, 1000000);
  printf("%ld\n", counter);
  return 0;
}
