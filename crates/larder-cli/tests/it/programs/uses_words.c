// A program that uses the Rust library `words`.
#include <stdio.h>
#include <stddef.h>

size_t words_lengths(const char *text), words_seen(const char *word);

int main(int argc, char **argv) {
  printf("%zu %zu\n", words_lengths(argv[1]), words_lengths("a text of some words"));
  printf("%zu %d\n", words_seen("one"), words_seen("three") == (size_t)-1);
  return argc + 4;
}
