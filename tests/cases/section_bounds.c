// __start_ and __stop_ of a section with a C name: a registry that the linker collects.
// flags: -O0 | -O2
// skip-lli: nobody defines the bounds there
// stdout: 3
// stdout: alpha beta gamma
#include <stdio.h>

struct entry {
  const char *name;
};
#define REGISTER(n) static const struct entry entry_##n __attribute__((used, section("registry"))) = {#n}
REGISTER(alpha);
REGISTER(beta);
REGISTER(gamma);
extern const struct entry __start_registry[] __attribute__((visibility("hidden")));
extern const struct entry __stop_registry[] __attribute__((visibility("hidden")));

int main(void) {
  printf("%d\n", (int)(__stop_registry - __start_registry));
  for (const struct entry *e = __start_registry; e < __stop_registry; e++)
    printf("%s%c", e->name, e + 1 < __stop_registry ? ' ' : '\n');
  return 0;
}
