// A thread-local variable that nobody has.
extern __thread int later_variable;
int read(void) { return later_variable; }
