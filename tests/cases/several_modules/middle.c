extern int order[3], order_count;
__attribute__((common)) int shared_common;
_Thread_local int counter = 4;

__attribute__((constructor)) static void second(void) { order[order_count++] = 2; }

int strong_elsewhere(void) { return 7; }
__attribute__((weak)) int weak_elsewhere(void) { return 1; }
int middle_value(void) { return shared_common + 30; }
static int hidden(void) { return 3; }
int (*middle_inline(void))(void) { return hidden; }
