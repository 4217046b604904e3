// Thread-local variables that somebody else defines.
extern __thread int theirs;
int get(void) { return theirs; }
void set(int value) { theirs = value; }
int *where(void) { return &theirs; }
