// Code and nothing else.
long answer(void) { return 42; }
