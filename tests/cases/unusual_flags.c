// Flags that change sections, calls and prologues: whatever they bring, the program is the same.
// flags: -O2 -fcf-protection=full | -O2 -fpatchable-function-entry=4,2 | -O2 -fno-plt | -O2 -flto | -O2 -flto=thin | -O2 -mretpoline | -O2 -fno-jump-tables -fno-asynchronous-unwind-tables | -O2 -fstack-size-section -faddrsig | -O2 -mno-red-zone -fno-omit-frame-pointer | -O2 -ffunction-sections -fdata-sections -funique-internal-linkage-names | -O1 -g3 -gdwarf-5 -gz | -O2 -fsanitize=undefined -fsanitize-trap=undefined | -O2 -fbasic-block-sections=all | -O2 -finstrument-functions
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUMBER, TEXT, LIST, PAIR, NOTHING, COUNT };
struct value {
  enum kind kind;
  union {
    long number;
    const char *text;
    struct value *list[4];
  };
};

static const char *const names[] = {"number", "text", "list", "pair", "nothing"};
static _Thread_local int depth;
static jmp_buf out;

__attribute__((noinline)) static long measure(const struct value *value) {
  long sum = 0;
  if (++depth > 100)
    longjmp(out, 1);
  switch (value->kind) {
  case NUMBER: sum = value->number; break;
  case TEXT: sum = (long)strlen(value->text); break;
  case LIST:
    for (int i = 0; i < 4 && value->list[i]; i++)
      sum += measure(value->list[i]);
    break;
  case PAIR: sum = measure(value->list[0]) * measure(value->list[1]); break;
  case NOTHING: sum = 1; break;
  default: abort();
  }
  depth--;
  return sum;
}

static int by_measure(const void *a, const void *b) {
  long x = measure(*(struct value *const *)a), y = measure(*(struct value *const *)b);
  return (x > y) - (x < y);
}

void __cyg_profile_func_enter(void *function, void *caller) __attribute__((no_instrument_function));
void __cyg_profile_func_exit(void *function, void *caller) __attribute__((no_instrument_function));
static long calls;
void __cyg_profile_func_enter(void *function, void *caller) { calls++; }
void __cyg_profile_func_exit(void *function, void *caller) { calls--; }

int main(void) {
  struct value five = {NUMBER, {5}}, word = {TEXT, {.text = "seven.."}}, nothing = {NOTHING, {0}};
  struct value pair = {PAIR, {.list = {&five, &word}}}, list = {LIST, {.list = {&pair, &nothing, &five}}};
  struct value endless = {LIST, {0}};
  endless.list[0] = &endless;
  struct value *all[] = {&list, &pair, &word, &five, &nothing};
  qsort(all, 5, sizeof *all, by_measure);
  for (int i = 0; i < 5; i++)
    printf("%s %ld\n", names[all[i]->kind], measure(all[i]));
  if (setjmp(out) == 0)
    measure(&endless);
  printf("out at %d\n", depth);
  return 0;
}
