// Assembly at file level with sections of its own, symbols that are expressions, weak and common ones, initialisers, and data
// that refers to the program's.
// skip-lli: orc rejects definitions that the IR does not have
// flags: -O0 | -O2
// stdout: started
// stdout: 40 2 42 7 0
// stdout: in read-only data, in a section: 5
#include <stdio.h>

asm(".section .rodata.words,\"aMS\",@progbits,1\n"
    "words: .string \"in read-only data\"\n"
    ".section own_table,\"aw\",@progbits\n"
    ".globl table\n"
    ".hidden table\n"
    ".balign 32\n"
    "table: .quad words, function, table_end - table, the_answer\n"
    "table_end:\n"
    ".set the_answer, 42\n"
    ".globl defined\n"
    ".hidden defined\n"
    ".set defined, table + 8\n"
    ".weak absent\n"
    ".section .init_array,\"aw\",@init_array\n"
    ".quad start\n"
    ".text\n"
    ".globl load_absent\n"
    ".hidden load_absent\n"
    ".type load_absent, @function\n"
    "load_absent:\n"
    "  movq absent@GOTPCREL(%rip), %rax\n"
    "  ret\n"
    ".size load_absent, .-load_absent\n"
    ".comm shared, 16, 16\n"
    ".hidden shared\n"
    ".macro put value\n"
    "  .byte \\value\n"
    ".endm\n"
    ".data\n"
    ".globl bytes\n"
    ".hidden bytes\n"
    "bytes:\n"
    "  .rept 3\n"
    "  put 7\n"
    "  .endr\n"
    "  .fill 5, 1, 9\n"
    "  .incbin \"/dev/null\"\n"
    ".previous\n");
#define HIDDEN __attribute__((visibility("hidden")))
extern HIDDEN void *table[];
extern HIDDEN void *defined;
extern HIDDEN unsigned char bytes[];
extern HIDDEN int shared[4];
HIDDEN long load_absent(void);

__attribute__((used)) static void start(void) { puts("started"); }
__attribute__((used)) static int function(int n) { return n + 1; }

int main(void) {
  int (*second)(int) = (int (*)(int))defined;
  shared[3] = (int)(long)table[2] + 8;
  printf("%d %d %ld %d %ld\n", shared[3], second(1), (long)table[3], bytes[2], load_absent());
  printf("%s, in a section: %d\n", (char *)table[0], second(4));
  return 0;
}
