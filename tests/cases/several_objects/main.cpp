// extra-object: by_gcc.cpp g++ -O2 -g -fPIC
// extra-object: by_clang.cpp clang++ -O1 -fPIC
// stdout: gcc 3, clang 6
// stdout: caught thrown by gcc
// stdout: vector of 2, one instance: 1
// exit: 4
//
// A module and objects of two compilers: calls, data, exceptions and inline functions cross between them.
#include <cstdio>
#include <stdexcept>
#include <vector>

int by_gcc(std::vector<int> &numbers);
int by_clang(int);
const void *instance_of_gcc();

inline int &instance() {
  static int value = 1;
  return value;
}

int main() {
  std::vector<int> numbers;
  printf("gcc %d, clang %d\n", by_gcc(numbers), by_clang(3));
  try {
    by_clang(-1);
  } catch (const std::runtime_error &error) {
    printf("caught %s\n", error.what());
  }
  printf("vector of %zu, one instance: %d\n", numbers.size(), &instance() == instance_of_gcc());
  return 4;
}
