extern int was_unused_taken;
__attribute__((constructor)) static void taken(void) { was_unused_taken = 1; }
int unused(void) { return 1; }
int weakly_wanted(void) { return 1; }
