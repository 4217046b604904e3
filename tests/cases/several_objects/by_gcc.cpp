#include <stdexcept>
#include <vector>

inline int &instance() {
  static int value = 1;
  return value;
}

const void *instance_of_gcc() { return &instance(); }

int by_gcc(std::vector<int> &numbers) {
  numbers.assign({1, 2});
  return numbers[0] + numbers[1];
}

void throwing() { throw std::runtime_error("thrown by gcc"); }
