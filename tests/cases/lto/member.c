int member(void) { return 7; }
