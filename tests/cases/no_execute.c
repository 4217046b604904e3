// Data can't be executed.
// signal: 11
static unsigned char code[] = {0xb8, 7, 0, 0, 0, 0xc3};
int main(void) { return ((int (*volatile)(void))code)(); }
