// Code can't be written.
// signal: 11
int main(void) {
  *(volatile unsigned char *)(__UINTPTR_TYPE__)main = 0xc3;
  return 0;
}
