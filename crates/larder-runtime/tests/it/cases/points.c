// Data that points into what is known later.
extern int table[4];
int *middle = &table[2];
int read(void) { return *middle; }
