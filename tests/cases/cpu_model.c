// What __builtin_cpu_supports and __builtin_cpu_is answer, without a call of __builtin_cpu_init and with one: the contents of libgcc's
// __cpu_model, as far as the libgcc of 2022 knows them.
// flags: -O0 | -O2
// skip-lli: it does not find what the static libgcc defines
#include <stdio.h>

#define SHOW(name) printf("%s %d\n", name, !!__builtin_cpu_supports(name))

static int early;
__attribute__((constructor)) static void before_main(void) { early = !!__builtin_cpu_supports("sse2"); }

int main(void) {
  printf("early %d\n", early);
  __builtin_cpu_init();
  printf("intel %d, amd %d\n", !!__builtin_cpu_is("intel"), !!__builtin_cpu_is("amd"));
  SHOW("cmov");
  SHOW("mmx");
  SHOW("popcnt");
  SHOW("sse");
  SHOW("sse2");
  SHOW("sse3");
  SHOW("ssse3");
  SHOW("sse4.1");
  SHOW("sse4.2");
  SHOW("avx");
  SHOW("avx2");
  SHOW("sse4a");
  SHOW("fma4");
  SHOW("xop");
  SHOW("fma");
  SHOW("avx512f");
  SHOW("bmi");
  SHOW("bmi2");
  SHOW("aes");
  SHOW("pclmul");
  SHOW("avx512vl");
  SHOW("avx512bw");
  SHOW("avx512dq");
  SHOW("avx512cd");
  SHOW("avx512vbmi");
  SHOW("avx512ifma");
  SHOW("avx512vpopcntdq");
  SHOW("avx512vbmi2");
  SHOW("gfni");
  SHOW("vpclmulqdq");
  SHOW("avx512vnni");
  SHOW("avx512bitalg");
  SHOW("avx512bf16");
  SHOW("avx512vp2intersect");
  SHOW("adx");
  SHOW("cldemote");
  SHOW("clflushopt");
  SHOW("clwb");
  SHOW("clzero");
  SHOW("cx16");
  SHOW("enqcmd");
  SHOW("f16c");
  SHOW("fsgsbase");
  SHOW("sahf");
  SHOW("64bit");
  SHOW("lwp");
  SHOW("lzcnt");
  SHOW("movbe");
  SHOW("movdir64b");
  SHOW("movdiri");
  SHOW("mwaitx");
  SHOW("pconfig");
  SHOW("pku");
  SHOW("prfchw");
  SHOW("ptwrite");
  SHOW("rdpid");
  SHOW("rdrnd");
  SHOW("rdseed");
  SHOW("rtm");
  SHOW("serialize");
  SHOW("sgx");
  SHOW("sha");
  SHOW("shstk");
  SHOW("tbm");
  SHOW("tsxldtrk");
  SHOW("vaes");
  SHOW("waitpkg");
  SHOW("wbnoinvd");
  SHOW("xsave");
  SHOW("xsavec");
  SHOW("xsaveopt");
  SHOW("xsaves");
  SHOW("amx-tile");
  SHOW("amx-int8");
  SHOW("amx-bf16");
  SHOW("uintr");
  SHOW("hreset");
  SHOW("kl");
  SHOW("widekl");
  SHOW("avxvnni");
  SHOW("avx512fp16");
  SHOW("x86-64");
  SHOW("x86-64-v2");
  SHOW("x86-64-v3");
  SHOW("x86-64-v4");
  return 0;
}
