// What a compiler makes position-independent unasked, since it has no addresses in it.
__thread int first = 3;
static __thread long second = 30;
int count(void) { return ++first + ++second; }
