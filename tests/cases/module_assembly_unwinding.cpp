// A function in assembly with CFI of its own: an exception passes through its frame, registers it saved are given back.
// flags: -O0 | -O2
// skip-lli: orc rejects definitions that the IR does not have
// stdout: caught 7, kept 1234
#include <cstdio>

asm(".pushsection .text.through,\"ax\",@progbits\n"
    ".hidden through\n"
    ".globl through\n"
    ".type through,@function\n"
    "through:\n"
    "  .cfi_startproc\n"
    "  pushq %rbx\n"
    "  .cfi_def_cfa_offset 16\n"
    "  .cfi_offset %rbx, -16\n"
    "  subq $4096, %rsp\n"
    "  .cfi_def_cfa_offset 4112\n"
    "  movq %rdi, %rax\n"
    "  xorl %ebx, %ebx\n"
    "  callq *%rax\n"
    "  addq $4096, %rsp\n"
    "  .cfi_def_cfa_offset 16\n"
    "  popq %rbx\n"
    "  .cfi_def_cfa_offset 8\n"
    "  retq\n"
    "  .cfi_endproc\n"
    ".size through, .-through\n"
    ".popsection\n");
extern "C" __attribute__((visibility("hidden"))) void through(void (*)());

[[gnu::noinline]] static void raise_it() { throw 7; }
[[gnu::noinline]] static int kept(int value) {
  register int in_rbx asm("rbx") = value;
  asm volatile("" : "+r"(in_rbx));
  int caught = 0;
  try {
    through(raise_it);
  } catch (int n) {
    caught = n;
  }
  asm volatile("" : "+r"(in_rbx));
  std::printf("caught %d, ", caught);
  return value;
}

int main() { std::printf("kept %d\n", kept(1234)); }
