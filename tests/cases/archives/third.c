int third(void) { return 3; }
