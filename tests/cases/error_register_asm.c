// Assembly that the assembler rejects.
// larder-error: frobnicate
int main(void) {
  asm volatile("frobnicate %eax");
  return 0;
}
