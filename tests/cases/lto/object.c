extern int called_by_name(int);
__attribute__((common)) int common_value[2];
__attribute__((constructor)) static void set(void) { common_value[1] += 10; }
const char *strong_in_object(void) { return "object"; }
__attribute__((weak)) const char *first_weak(void) { return "object"; }
int through_object(int (*f)(int), int x) { return f(x) + called_by_name(x) - 2; }
