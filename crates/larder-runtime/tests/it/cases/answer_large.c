// As `answer_data.c`, with many constants.
int abs(int);
const char constants[100000] = {1};
static volatile int number = -41;
long answer(void) {
    int (*volatile function)(int) = abs;
    const char *volatile first = constants;
    return function(number) + *first;
}
