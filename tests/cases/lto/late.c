extern int order[3], order_count;
__attribute__((common)) int common_value[4];
__attribute__((constructor)) static void third(void) { order[order_count++] = 3; common_value[1] += 20; }
__attribute__((weak)) const char *first_weak(void) { return "late module"; }
