// Checks that need no runtime: undefined behaviour ends the program by a trap.
// flags: -O1 -fsanitize=undefined -fsanitize-trap=undefined
// signal: 4
#include <limits.h>

int main(int argc, char **argv) { return INT_MAX - 1 + 2 * argc; }
