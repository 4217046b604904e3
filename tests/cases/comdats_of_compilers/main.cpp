// extra-module: second.cpp
// extra-object: third.cpp gcc -O1 -fPIC
// extra-object: fourth.cpp gcc -O0 -fPIC
// extra-object: fifth.cpp
// flags: -O0 -std=c++17 -fPIC | -O2 -std=c++17 -fPIC
// skip-lli: its linker refuses the thread-local storage of objects
// stdout: the same: 1111
// stdout: 1 made, 12 held, 8 per thread, next 6, counted
//
// Inline functions and variables, templates, vtables and guards of statics in COMDATs by two compilers: one of each in the program.
#include "inline.h"

Seen look_from_second(), look_from_third(), look_from_fourth(), look_from_fifth();

static bool same(const Seen &one, const Seen &other) {
  return one.shared == other.shared && one.value == other.value && one.per_thread == other.per_thread &&
         one.type == other.type && one.next == other.next;
}

int main() {
  Seen own = look();
  Seen others[] = {look_from_second(), look_from_third(), look_from_fourth(), look_from_fifth()};
  printf("the same: ");
  for (const Seen &other : others)
    printf("%d", same(own, other));
  printf("\n%d made, %d held, %d per thread, next %d, %s\n", Counted::made, Holder<int>::value, per_thread, next(),
         shared().name());
}
