// Priorities are numbers, however they are spelled: .init_array.00101 and .init_array.101 are the same, and before .init_array.00102.
// skip-lli: it runs what llvm.global_ctors lists, and no other list
#include <stdio.h>

#define SAYS(name) static void name(void) { puts(#name); }
#define LIST(name, section_name) \
  SAYS(name)                     \
  __attribute__((section(section_name), used)) static void (*const list_##name)(void) = name;
LIST(begin_1000, ".init_array.1000")
LIST(begin_00102, ".init_array.00102")
LIST(begin_00101, ".init_array.00101")
LIST(begin_101, ".init_array.101")
LIST(begin_0999, ".init_array.0999")
LIST(begin_65535, ".init_array.65535")
LIST(begin_last, ".init_array")
LIST(end_1000, ".fini_array.1000")
LIST(end_00102, ".fini_array.00102")
LIST(end_00101, ".fini_array.00101")
LIST(end_101, ".fini_array.101")
LIST(end_last, ".fini_array")
int main(void) {
  puts("main");
  return 0;
}
