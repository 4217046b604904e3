// A function that is chosen for the processor, and everything that GCC lets a program ask of it.

extern "C" __attribute__((target_clones("avx2", "default"))) int sum(const int *numbers, int count) {
  int sum = 0;
  for (int i = 0; i < count; i++)
    sum += numbers[i];
  return sum;
}

extern "C" int sum_up_to(int last) {
  int numbers[100];
  for (int i = 0; i < 100; i++)
    numbers[i] = i;
  int (*volatile pointer)(const int *, int) = sum;
  return pointer(numbers, last) + sum(numbers, last);
}

extern "C" int has_feature(int number) {
  __builtin_cpu_init();
  switch (number) {
  case 0: return !!__builtin_cpu_supports("cmov");
  case 1: return !!__builtin_cpu_supports("mmx");
  case 2: return !!__builtin_cpu_supports("popcnt");
  case 3: return !!__builtin_cpu_supports("sse");
  case 4: return !!__builtin_cpu_supports("sse2");
  case 5: return !!__builtin_cpu_supports("sse3");
  case 6: return !!__builtin_cpu_supports("ssse3");
  case 7: return !!__builtin_cpu_supports("sse4.1");
  case 8: return !!__builtin_cpu_supports("sse4.2");
  case 9: return !!__builtin_cpu_supports("avx");
  case 10: return !!__builtin_cpu_supports("avx2");
  case 11: return !!__builtin_cpu_supports("sse4a");
  case 12: return !!__builtin_cpu_supports("fma4");
  case 13: return !!__builtin_cpu_supports("xop");
  case 14: return !!__builtin_cpu_supports("fma");
  case 15: return !!__builtin_cpu_supports("avx512f");
  case 16: return !!__builtin_cpu_supports("bmi");
  case 17: return !!__builtin_cpu_supports("bmi2");
  case 18: return !!__builtin_cpu_supports("aes");
  case 19: return !!__builtin_cpu_supports("pclmul");
  case 20: return !!__builtin_cpu_supports("avx512vl");
  case 21: return !!__builtin_cpu_supports("avx512bw");
  case 22: return !!__builtin_cpu_supports("avx512dq");
  case 23: return !!__builtin_cpu_supports("avx512cd");
  case 24: return !!__builtin_cpu_supports("avx512er");
  case 25: return !!__builtin_cpu_supports("avx512pf");
  case 26: return !!__builtin_cpu_supports("avx512vbmi");
  case 27: return !!__builtin_cpu_supports("avx512ifma");
  case 28: return !!__builtin_cpu_supports("avx5124vnniw");
  case 29: return !!__builtin_cpu_supports("avx5124fmaps");
  case 30: return !!__builtin_cpu_supports("avx512vpopcntdq");
  case 31: return !!__builtin_cpu_supports("avx512vbmi2");
  case 32: return !!__builtin_cpu_supports("gfni");
  case 33: return !!__builtin_cpu_supports("vpclmulqdq");
  case 34: return !!__builtin_cpu_supports("avx512vnni");
  case 35: return !!__builtin_cpu_supports("avx512bitalg");
  case 36: return !!__builtin_cpu_supports("avx512bf16");
  case 37: return !!__builtin_cpu_supports("avx512vp2intersect");
  case 38: return !!__builtin_cpu_supports("3dnow");
  case 39: return !!__builtin_cpu_supports("3dnowp");
  case 40: return !!__builtin_cpu_supports("adx");
  case 41: return !!__builtin_cpu_supports("abm");
  case 42: return !!__builtin_cpu_supports("cldemote");
  case 43: return !!__builtin_cpu_supports("clflushopt");
  case 44: return !!__builtin_cpu_supports("clwb");
  case 45: return !!__builtin_cpu_supports("clzero");
  case 46: return !!__builtin_cpu_supports("cmpxchg16b");
  case 47: return !!__builtin_cpu_supports("cmpxchg8b");
  case 48: return !!__builtin_cpu_supports("enqcmd");
  case 49: return !!__builtin_cpu_supports("f16c");
  case 50: return !!__builtin_cpu_supports("fsgsbase");
  case 51: return !!__builtin_cpu_supports("fxsave");
  case 52: return !!__builtin_cpu_supports("hle");
  case 53: return !!__builtin_cpu_supports("ibt");
  case 54: return !!__builtin_cpu_supports("lahf_lm");
  case 55: return !!__builtin_cpu_supports("lm");
  case 56: return !!__builtin_cpu_supports("lwp");
  case 57: return !!__builtin_cpu_supports("lzcnt");
  case 58: return !!__builtin_cpu_supports("movbe");
  case 59: return !!__builtin_cpu_supports("movdir64b");
  case 60: return !!__builtin_cpu_supports("movdiri");
  case 61: return !!__builtin_cpu_supports("mwaitx");
  case 62: return !!__builtin_cpu_supports("osxsave");
  case 63: return !!__builtin_cpu_supports("pconfig");
  case 64: return !!__builtin_cpu_supports("pku");
  case 65: return !!__builtin_cpu_supports("prefetchwt1");
  case 66: return !!__builtin_cpu_supports("prfchw");
  case 67: return !!__builtin_cpu_supports("ptwrite");
  case 68: return !!__builtin_cpu_supports("rdpid");
  case 69: return !!__builtin_cpu_supports("rdrnd");
  case 70: return !!__builtin_cpu_supports("rdseed");
  case 71: return !!__builtin_cpu_supports("rtm");
  case 72: return !!__builtin_cpu_supports("serialize");
  case 73: return !!__builtin_cpu_supports("sgx");
  case 74: return !!__builtin_cpu_supports("sha");
  case 75: return !!__builtin_cpu_supports("shstk");
  case 76: return !!__builtin_cpu_supports("tbm");
  case 77: return !!__builtin_cpu_supports("tsxldtrk");
  case 78: return !!__builtin_cpu_supports("vaes");
  case 79: return !!__builtin_cpu_supports("waitpkg");
  case 80: return !!__builtin_cpu_supports("wbnoinvd");
  case 81: return !!__builtin_cpu_supports("xsave");
  case 82: return !!__builtin_cpu_supports("xsavec");
  case 83: return !!__builtin_cpu_supports("xsaveopt");
  case 84: return !!__builtin_cpu_supports("xsaves");
  case 85: return !!__builtin_cpu_supports("amx-tile");
  case 86: return !!__builtin_cpu_supports("amx-int8");
  case 87: return !!__builtin_cpu_supports("amx-bf16");
  case 88: return !!__builtin_cpu_supports("uintr");
  case 89: return !!__builtin_cpu_supports("hreset");
  case 90: return !!__builtin_cpu_supports("kl");
  case 91: return !!__builtin_cpu_supports("aeskle");
  case 92: return !!__builtin_cpu_supports("widekl");
  case 93: return !!__builtin_cpu_supports("avxvnni");
  case 94: return !!__builtin_cpu_supports("avx512fp16");
  case 95: return !!__builtin_cpu_supports("x86-64");
  case 96: return !!__builtin_cpu_supports("x86-64-v2");
  case 97: return !!__builtin_cpu_supports("x86-64-v3");
  case 98: return !!__builtin_cpu_supports("x86-64-v4");
  case 99: return !!__builtin_cpu_is("intel");
  case 100: return !!__builtin_cpu_is("amd");
  default: return -1;
  }
}

#ifdef MAIN
#include <stdio.h>
int main() {
  for (int number = 0; has_feature(number) >= 0; number++)
    printf("%d", has_feature(number));
}
#endif
