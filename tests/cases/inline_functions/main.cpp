// Inline functions, their statics and templates' statics: COMDAT groups, one copy in the whole module.
// flags: -O0 | -O2
// stdout: 1 2 3 4
// stdout: same
#include <cstdio>

inline int next() {
  static int counter = 0;
  return ++counter;
}
template <class T> struct Box {
  static T value;
};
template <class T> T Box<T>::value = 3;

int other();
const int *where();

int main() {
  int a = next(), b = other();
  std::printf("%d %d %d %d\n", a, b, Box<int>::value, next() + 1);
  std::puts(where() == &Box<int>::value ? "same" : "two");
}
