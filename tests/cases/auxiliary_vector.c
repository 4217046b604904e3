// getauxval and sysconf: the process is the one that the kernel started.
// stdout: 4096 4096 1 1
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(void) {
  printf("%lu %ld %d %d\n", getauxval(AT_PAGESZ), sysconf(_SC_PAGESIZE), getauxval(AT_SYSINFO_EHDR) != 0,
         getauxval(AT_RANDOM) != 0);
  return 0;
}
