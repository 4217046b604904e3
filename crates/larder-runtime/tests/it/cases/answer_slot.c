// Code with an import.
int abs(int);
long answer(void) {
    int (*volatile function)(int) = abs;
    return function(-42);
}
