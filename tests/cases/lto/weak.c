extern int order[3], order_count;
__attribute__((constructor)) static void second(void) { order[order_count++] = 2; }
__attribute__((weak)) const char *strong_in_object(void) { return "weak module"; }
int by_weak(int x) { return 2 * x; }
