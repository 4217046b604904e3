// Equal strings and constants are one; a string may be the end of another; addresses stay what they must be.
// flags: -O0 | -O2
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static const char *const list[] = {"suffix", "a longer string with the same suffix", "suffix", "fix", "", "x"};
static const wchar_t *const wide[] = {L"wide", L"e", L"wide"};
const double constants[] = {1.5, 2.5, 1.5};
__attribute__((noinline)) const char *pick(int n) { return n ? "suffix" : "only here"; }

int main(void) {
  for (int i = 0; i < 6; i++)
    printf("[%s] %zu\n", list[i], strlen(list[i]));
  for (int i = 0; i < 3; i++)
    printf("%ls %zu\n", wide[i], wcslen(wide[i]));
  printf("%s %s %c\n", pick(0), pick(1), "indexed"[pick(1)[0] == 's']);
  printf("%g\n", constants[0] + constants[1] + constants[2] + strtod("1.5", NULL));
  return strcmp(list[1] + strlen(list[1]) - 6, list[0]);
}
