const char *name(void) { return "strong"; }
int number = 7;
