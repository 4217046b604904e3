int second(void);
int first(void) { return 10 + second(); }
