// Literals can't be written.
// signal: 11
char *volatile text = "literal";
int main(void) {
  text[0] = 'L';
  return 0;
}
