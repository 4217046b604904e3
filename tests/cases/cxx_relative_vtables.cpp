// Unusual layouts of C++ data: vtables of 32-bit differences, whole-program vtables, emulated and strict pointers.
// flags: -O0 -fexperimental-relative-c++-abi-vtables -fno-rtti | -O2 -fexperimental-relative-c++-abi-vtables -fno-rtti | -O2 -fstrict-vtable-pointers | -O2 -flto -fvisibility=hidden -fwhole-program-vtables | -O2 -mregparm=3 -fno-assume-unique-vtables
// stdout: circle 3 square 4 circle 3
#include <cstdio>
#include <memory>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual const char *name() const = 0;
  virtual int size() const { return 3; }
};
struct Circle : Shape {
  const char *name() const override { return "circle"; }
};
struct Named {
  virtual const char *name() const { return "named"; }
};
struct Square : Shape, virtual Named {
  const char *name() const override { return "square"; }
  int size() const override { return 4; }
};

[[gnu::noinline]] static void show(const Shape &shape, char end) { std::printf("%s %d%c", shape.name(), shape.size(), end); }

[[gnu::visibility("default")]] int main() {
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.push_back(std::make_unique<Circle>());
  shapes.push_back(std::make_unique<Square>());
  shapes.push_back(std::make_unique<Circle>());
  for (auto &shape : shapes)
    show(*shape, &shape == &shapes.back() ? '\n' : ' ');
}
