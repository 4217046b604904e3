// An object that holds only gcc's intermediate code has no code to link: refused with what to do, alone and in an archive.
// extra-archive: twice.c gcc -O1 -flto
// larder-error: twice.o): it holds intermediate code for gcc's own linker only: compile without -flto, or with -ffat-lto-objects
int twice(int number);

int main(void) { return twice(21); }
