// Run-time type information: names, comparison with the library's types, casts through virtual bases and to void, typeid of null.
// flags: -O0 -Wno-everything | -O2 | -O2 -fno-pic -fvisibility=hidden -fvisibility-inlines-hidden
#include <any>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <typeindex>
#include <typeinfo>
#include <variant>

struct A { virtual ~A() = default; long a = 1; };
struct B : virtual A { long b = 2; };
struct C : virtual A { long c = 3; };
struct D : B, C { long d = 4; };
namespace { struct Local : D {}; }

template <class... T> struct Overloaded : T... { using T::operator()...; };
template <class... T> Overloaded(T...) -> Overloaded<T...>;

[[gnu::visibility("default")]] int main() {
  std::unique_ptr<A> object = std::make_unique<Local>();
  B *b = dynamic_cast<B *>(object.get());
  C *c = dynamic_cast<C *>(b);
  std::printf("%s %ld %ld %d\n", typeid(*object).name(), b->b, c->c,
              dynamic_cast<void *>(c) == dynamic_cast<void *>(object.get()));
  try {
    A *null = nullptr;
    std::puts(typeid(*null).name());
  } catch (const std::bad_typeid &e) {
    std::puts(e.what());
  }
  try {
    A plain;
    dynamic_cast<D &>(plain).d = 5;
  } catch (const std::bad_cast &e) {
    std::puts(e.what());
  }
  std::map<std::type_index, int> types{{typeid(int), 1}, {typeid(std::exception), 2}, {typeid(D), 3}};
  std::printf("%d %d %d\n", types[typeid(int)], types[typeid(std::exception)], types[typeid(D)]);
  std::any any = std::string("held");
  try {
    std::any_cast<int>(any);
  } catch (const std::bad_any_cast &e) {
    std::printf("%s %s\n", e.what(), std::any_cast<std::string &>(any).c_str());
  }
  for (std::variant<int, double, std::string> value : {std::variant<int, double, std::string>(7), {2.5}, {"text"}})
    std::visit(Overloaded{[](int n) { std::printf("int %d ", n); }, [](double x) { std::printf("double %g ", x); },
                          [](const std::string &s) { std::printf("string %s\n", s.c_str()); }},
               value);
  std::function<int(int)> add = [n = 40](int m) { return n + m; };
  std::printf("%d %d\n", add(2), add.target_type() == typeid(int));
}
