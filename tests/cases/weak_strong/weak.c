__attribute__((weak)) const char *name(void) { return "weak"; }
__attribute__((weak)) int number = 1;
__attribute__((weak)) const char *other(void) { return "weak"; }
