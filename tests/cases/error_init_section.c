// Pieces of code in .init and .fini, which linkers of old put together to the functions _init and _fini, are refused.
// larder-error: .init: code that is run by position: use constructor functions
#include <stdio.h>

__attribute__((used)) static void at_init(void) { puts("piece of init"); }
__asm__(".pushsection .init,\"ax\",@progbits\n call at_init\n .popsection\n");
int main(void) { return 0; }
