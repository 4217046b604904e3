// A program that asks which file and which name an address of its own belongs to, and which segments it has.
// flags: -O1 -rdynamic
// stdout: main file 1 base 1 name main at 1
// stdout: inside name helper at 1
// stdout: variable table at 1
// stdout: hidden none
// stdout: libc puts 1
// stdout: first object holds main 1, named "", code 1
// skip-lli: functions of LLVM's JIT are unknown to the dynamic linker
// skip-dlopen: a library has another file than its host
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

int table[16] = {1};
__attribute__((noinline)) int helper(int x) {
  for (int i = 0; i < x; i++)
    table[i & 15] += x * i;
  return table[3];
}
__attribute__((visibility("hidden"), noinline)) int concealed(int x) { return helper(x) + 1; }
int main(int argc, char **argv);

static int first(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size, (void)data;
  int holds = 0, code = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    ElfW(Addr) start = info->dlpi_addr + segment->p_vaddr, at = (ElfW(Addr))main;
    if (segment->p_type == PT_LOAD && at >= start && at < start + segment->p_memsz)
      holds = 1, code = (segment->p_flags & PF_X) != 0;
  }
  printf("first object holds main %d, named \"%s\", code %d\n", holds, info->dlpi_name, code);
  return 1;
}

int main(int argc, char **argv) {
  Dl_info info;
  dladdr((void *)main, &info);
  int file = strcmp(info.dli_fname, argv[0]) == 0, base = memcmp(info.dli_fbase, "\177ELF", 4) == 0;
  printf("main file %d base %d name %s at %d\n", file, base, info.dli_sname, info.dli_saddr == (void *)main);
  dladdr((char *)helper + 1, &info);
  printf("inside name %s at %d\n", info.dli_sname, info.dli_saddr == (void *)helper);
  dladdr(&table[argc], &info);
  printf("variable %s at %d\n", info.dli_sname, info.dli_saddr == (void *)table);
  int found = dladdr((void *)concealed, &info);
  printf("hidden %s\n", !found || info.dli_sname ? "found" : "none");
  found = dladdr((void *)(__UINTPTR_TYPE__)puts, &info);
  printf("libc %s %d\n", info.dli_sname && strstr(info.dli_sname, "puts") ? "puts" : "?", found != 0);
  dl_iterate_phdr(first, NULL);
  return concealed(argc) & 0;
}
