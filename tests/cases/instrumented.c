// Code that compilers instrument without a library of their own: profiling calls, traps, hardening, sleds that stay unused.
// flags: -O2 -pg | -O2 -pg -mfentry | -O2 -fxray-instrument -fxray-instruction-threshold=1 | -O2 -fstack-clash-protection -fstack-protector-strong | -O2 -ftrivial-auto-var-init=pattern -fzero-call-used-regs=all | -O1 -mspeculative-load-hardening | -O2 -mlvi-cfi | -O1 -fsanitize=kcfi | -O2 -fsanitize=local-bounds,bounds,integer -fsanitize-trap=all | -O2 -fcf-protection=branch -mharden-sls=all | -O2 -fpatchable-function-entry=7 | -O2 -mstackrealign -mstack-alignment=64 | -O2 -fsplit-machine-functions -fstack-usage | -O1 -gdwarf-5 -fdebug-info-for-profiling -fpseudo-probe-for-profiling -fcoverage-compilation-dir=x | -O2 -mtls-dialect=gnu2 -fPIC
// skip-dlopen: profiling starts with a program, not with a library
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
  struct node *next;
  int (*value)(int);
  int argument;
};
static _Thread_local int calls;
static int twice(int n) { return calls++, n * 2; }
static int square(int n) { return calls++, n * n; }
__attribute__((noinline)) static struct node *push(struct node *list, int (*value)(int), int argument) {
  struct node *node = malloc(sizeof *node);
  *node = (struct node){list, value, argument};
  return node;
}
__attribute__((noinline)) static int sum(const struct node *list) {
  int total = 0;
  for (; list; list = list->next)
    total += list->value(list->argument);
  return total;
}
__attribute__((noinline)) static int copy(const char *from, int length) {
  char buffer[8192];
  memset(buffer, 0, sizeof buffer);
  memcpy(buffer, from, (unsigned)length);
  int total = 0;
  for (int i = 0; i < length; i++)
    total += buffer[i];
  return total;
}

int main(void) {
  struct node *list = NULL;
  for (int i = 0; i < 100; i++)
    list = push(list, i % 3 ? twice : square, i);
  int first = sum(list);
  printf("%d %d %d\n", first, calls, copy("some letters", 12));
  return 0;
}
