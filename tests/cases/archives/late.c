int second(void);
int late(void) { return 40 + second(); }
