// Units that use names which are known later, beside some that don't.
extern "C" {
int later(int);
extern int later_variable;
int other(int);
}

namespace {
int destroyed = 0;
struct Witness {
    ~Witness() { ++destroyed; }
};
using Function = int (*)(int);
Function volatile table[] = {later, other};
const Function constants[] = {later, other};
}  // namespace

#define UNIT extern "C" __attribute__((noinline, visibility("default")))

UNIT int destroyed_count() { return destroyed; }
UNIT int free_of_it(int number) { return number * 2; }
UNIT int calls(int number) { return later(number) + 1; }
UNIT int calls_other(int number) { return other(number) + 2; }
UNIT int calls_both(int number) { return later(number) + other(number); }
UNIT int reads() { return later_variable; }
UNIT int through_table(int number) { return table[0](number); }
UNIT Function taken() { return table[0]; }
UNIT int through_constants(int number, int index) { return constants[index](number); }
UNIT void change_table(Function function) { table[1] = function; }
UNIT int through_changed(int number) { return table[1](number); }

// Called where an exception is awaited: the thrown number, negative.
UNIT int catches(int number) {
    try {
        Witness witness;
        return calls(number) + destroyed;
    } catch (int thrown) {
        return -thrown;
    }
}

UNIT void throws(int number) { throw number; }

// Sixteen arguments of both kinds, some of them on the stack, and a large value returned.
struct Sum {
    long integers;
    double floats;
    long count;
};
UNIT Sum sums(long a, double b, long c, double d, long e, double f, long g, double h, long i, double j, long k, double l,
              long m, double n, long o, double p) {
    return Sum{a + c * 2 + e * 3 + g * 4 + i * 5 + k * 6 + m * 7 + o * 8,
               b + d * 2 + f * 3 + h * 4 + j * 5 + l * 6 + n * 7 + p * 8, later(0)};
}
UNIT int check_sums() {
    Sum sum = sums(1, .5, 2, .25, 3, .125, 4, .5, 5, .25, 6, .125, 7, .5, 8, .25);
    return sum.integers == 204 && sum.floats == 10.875 ? static_cast<int>(sum.count) : -1;
}

UNIT int recurses(int number) { return number == 0 ? later(0) : recurses(number - 1) + 1; }

// An entry whose first bytes lie on two pages, and one that stays as it is behind it.
asm(R"(
    .pushsection .text.straddles, "ax", @progbits
    .balign 4096
    .skip 4093, 0xcc
    .globl straddles
    .type straddles, @function
straddles:
    jmp later@PLT
    .size straddles, . - straddles
    .balign 16
    .globl behind
    .type behind, @function
behind:
    leal 3(%rdi), %eax
    ret
    .size behind, . - behind
    .popsection
)");

// Calls its first argument with patterns in all registers that could hold arguments, and has `records` write down what arrives.
// `general` holds rax, rcx, rdx, rsi, rdi, r8 to r15, rbx, rbp; `vectors` sixteen times 32 bytes.
extern "C" {
unsigned long general_in[15], general_out[16];
unsigned char vectors_in[512], vectors_out[512];
int has_avx;
}
asm(R"(
    .pushsection .text.records, "ax", @progbits
    .globl passes
    .type passes, @function
passes:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq $4711
    pushq %rdi
    cmpl $0, has_avx(%rip)
    je 1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu vectors_in + 32 * \n(%rip), %ymm\n
    .endr
    jmp 2f
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqu vectors_in + 32 * \n(%rip), %xmm\n
    .endr
2:
    movq general_in(%rip), %rax
    movq general_in + 8(%rip), %rcx
    movq general_in + 16(%rip), %rdx
    movq general_in + 24(%rip), %rsi
    movq general_in + 32(%rip), %rdi
    movq general_in + 40(%rip), %r8
    movq general_in + 48(%rip), %r9
    movq general_in + 56(%rip), %r10
    movq general_in + 64(%rip), %r11
    movq general_in + 72(%rip), %r12
    movq general_in + 80(%rip), %r13
    movq general_in + 88(%rip), %r14
    movq general_in + 96(%rip), %r15
    movq general_in + 104(%rip), %rbx
    movq general_in + 112(%rip), %rbp
    call *(%rsp)
    popq %rdi
    popq %rdi
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size passes, . - passes
    .globl records
    .type records, @function
records:
    movq %rax, general_out(%rip)
    movq %rcx, general_out + 8(%rip)
    movq %rdx, general_out + 16(%rip)
    movq %rsi, general_out + 24(%rip)
    movq %rdi, general_out + 32(%rip)
    movq %r8, general_out + 40(%rip)
    movq %r9, general_out + 48(%rip)
    movq %r10, general_out + 56(%rip)
    movq %r11, general_out + 64(%rip)
    movq %r12, general_out + 72(%rip)
    movq %r13, general_out + 80(%rip)
    movq %r14, general_out + 88(%rip)
    movq %r15, general_out + 96(%rip)
    movq %rbx, general_out + 104(%rip)
    movq %rbp, general_out + 112(%rip)
    movq 16(%rsp), %rax
    movq %rax, general_out + 120(%rip)
    cmpl $0, has_avx(%rip)
    je 1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu %ymm\n, vectors_out + 32 * \n(%rip)
    .endr
    vzeroupper
    ret
1:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movdqu %xmm\n, vectors_out + 32 * \n(%rip)
    .endr
    ret
    # Never reached: a unit that uses the name.
    jmp later@PLT
    .size records, . - records
    .popsection
)");
