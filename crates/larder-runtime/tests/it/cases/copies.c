extern int optopt;

int next(void) { return ++optopt; }
