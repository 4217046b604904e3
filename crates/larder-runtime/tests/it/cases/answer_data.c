// Code with an import and a variable.
int abs(int);
static volatile int number = -42;
long answer(void) {
    int (*volatile function)(int) = abs;
    return function(number);
}
