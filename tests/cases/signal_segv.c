// A null dereference ends the process by SIGSEGV, as if nobody stood between.
// signal: 11
#include <stddef.h>
int *volatile nowhere = NULL;
int main(void) { return *nowhere; }
