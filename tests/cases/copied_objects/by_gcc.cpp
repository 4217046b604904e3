#include <iostream>
#include <stdexcept>
#include <typeinfo>

struct base {
  virtual ~base() {}
};
struct derived : base {};

static const bool before_main = (std::ios::sync_with_stdio(false), true);

std::ostream *by_gcc() {
  std::cout << before_main << " hello from gcc " << std::showbase << std::hex << 42 << std::dec;
  return &std::cout;
}

void thrown_by_gcc() { throw std::runtime_error("thrown by gcc"); }
bool is_derived(base *object) { return dynamic_cast<derived *>(object) && typeid(*object) == typeid(derived); }
base *make_derived() { return new derived; }

int read_by_gcc() {
  int number = 0;
  std::cin >> number;
  return number;
}
