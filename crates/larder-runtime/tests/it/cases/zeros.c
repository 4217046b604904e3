static __thread int counter;
int count(void) { return ++counter; }
