// Virtual tables, pure virtual, pointers to members, covariant returns through thunks.
// flags: -O0 | -O2
// stdout: square 9 circle 12.56
// stdout: 9 3
// stdout: clone circle
#include <cstdio>
#include <memory>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual double area() const = 0;
  virtual const char *name() const = 0;
  virtual Shape *clone() const = 0;
};
struct Named {
  virtual ~Named() = default;
  virtual int dummy() { return 3; }
};
struct Square : Shape {
  double side;
  explicit Square(double side) : side(side) {}
  double area() const override { return side * side; }
  const char *name() const override { return "square"; }
  Square *clone() const override { return new Square(*this); }
};
struct Circle : Named, Shape {
  double radius;
  explicit Circle(double radius) : radius(radius) {}
  double area() const override { return 3.14 * radius * radius; }
  const char *name() const override { return "circle"; }
  Circle *clone() const override { return new Circle(*this); }
};

int main() {
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.emplace_back(new Square(3));
  shapes.emplace_back(new Circle(2));
  for (const auto &shape : shapes)
    std::printf("%s %g%c", shape->name(), shape->area(), shape == shapes.back() ? '\n' : ' ');
  double (Shape::*volatile area)() const = &Shape::area;
  int (Named::*volatile dummy)() = &Named::dummy;
  Circle circle(1);
  std::printf("%g %d\n", (shapes[0].get()->*area)(), (circle.*dummy)());
  std::unique_ptr<Shape> copy(shapes[1]->clone());
  std::printf("clone %s\n", copy->name());
}
