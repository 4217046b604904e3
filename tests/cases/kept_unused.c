// flags: -O0 | -O2 -ffunction-sections -fdata-sections
// skip-lli: it takes symbols of assembly that the module declares for unexpected definitions
// stdout: section 3 sum 60
// stdout: number 0x1234 -5
// stdout: constructor of a retained section ran
// exit: 0
//
// What nobody refers to is kept if the source says so (`used`, `retain`), and symbols that are numbers and not places stay these numbers.
#include <stdint.h>
#include <stdio.h>

#define KEPT __attribute__((used, retain, section("kept_list")))
static int KEPT first = 10;
static int KEPT second = 20;
static int __attribute__((used, section("kept_list"))) third = 30;
extern int __start_kept_list[], __stop_kept_list[];

__asm__(".globl number, below_zero\n.set number, 0x1234\n.set below_zero, -5\n"
        ".section .data.number,\"aw\",@progbits\n.globl cells\n.balign 8\ncells: .quad number, below_zero\n.text\n");
extern const int64_t cells[2];

static int has_run;
static void __attribute__((retain, constructor, section(".text.retained"))) begin(void) { has_run = 1; }

int main(void) {
  int sum = 0;
  for (int *each = __start_kept_list; each < __stop_kept_list; each++) sum += *each;
  printf("section %d sum %d\n", (int)(__stop_kept_list - __start_kept_list), sum);
  printf("number %#lx %ld\n", (long)cells[0], (long)cells[1]);
  printf("constructor of a retained section %s\n", has_run ? "ran" : "did not run");
  return 0;
}
