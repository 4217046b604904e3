// A name that an object and a member of an archive define strongly: the error names both. The member is taken for another name.
// extra-object: first.c gcc -O1
// extra-archive: second.c
// larder-error: twice is defined twice: by
// larder-error: first.o and by
// larder-error: second.o)
int twice(int number), thrice(int number);

int main(void) { return twice(1) + thrice(1); }
