// Arguments arrive one by one and as they are; argv[0] is there and argv ends with a null.
// arg: plain
// arg: two words
// arg:
// arg: --help
// arg: -O
// arg: naïve "quotes" $HOME *
// stdout: 7
// stdout: [plain]
// stdout: [two words]
// stdout: []
// stdout: [--help]
// stdout: [-O]
// stdout: [naïve "quotes" $HOME *]
#include <stdio.h>

int main(int argc, char **argv) {
  printf("%d\n", argc);
  for (int i = 1; i < argc; i++)
    printf("[%s]\n", argv[i]);
  return !(argv[0] && argv[0][0] && argv[argc] == NULL);
}
