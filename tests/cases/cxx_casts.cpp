// dynamic_cast, typeid and virtual inheritance: type information compared with the library's by address and by name.
// flags: -O0 | -O2
// stdout: 1 0 1
// stdout: 4Both 1 0
// stdout: base of both, left, right
// stdout: bad_cast
// stdout: 1
#include <cstdio>
#include <stdexcept>
#include <typeindex>
#include <typeinfo>

struct Base {
  virtual ~Base() = default;
  const char *name = "base of both";
};
struct Left : virtual Base {
  virtual const char *left() { return "?"; }
};
struct Right : virtual Base {
  virtual const char *right() { return "right"; }
};
struct Both : Left, Right {
  const char *left() override { return "left"; }
};
struct Other : Base {};

int main() {
  Both both;
  Other other;
  Base *volatile a = &both;
  Base *volatile b = &other;
  std::printf("%d %d %d\n", dynamic_cast<Right *>(a) != nullptr, dynamic_cast<Left *>(b) != nullptr,
              dynamic_cast<Right *>(dynamic_cast<Left *>(a)) == static_cast<Right *>(&both));
  std::printf("%s %d %d\n", typeid(*a).name(), typeid(*a) == typeid(Both), typeid(*b) == typeid(Both));
  Right *right = dynamic_cast<Right *>(a);
  std::printf("%s, %s, %s\n", right->name, both.left(), right->right());
  try {
    (void)dynamic_cast<Left &>(*b);
  } catch (const std::bad_cast &) {
    std::puts("bad_cast");
  }
  std::printf("%d\n", std::type_index(typeid(std::runtime_error)) == std::type_index(typeid(std::runtime_error("x"))));
}
