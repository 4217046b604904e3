// A thousand static objects, each with a constructor and a destructor, in the order of their definition and back.
// flags: -O0 | -O2
// stdout: 1000 made in order
// stdout: 1000 destroyed in reverse
#include <cstdio>

static int made, destroyed, in_order, in_reverse;
struct Object {
  int number;
  explicit Object(int n) : number(n) { in_order += made++ == n; }
  ~Object() {
    in_reverse += number == 999 - destroyed++;
    if (destroyed == 1000)
      std::printf("%d destroyed in reverse\n", in_reverse);
  }
};
#define ONE(n) static Object object_##n(n);
#define TEN(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7) ONE(n##8) ONE(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
static Object object_0(0);
static Object object_1(1), object_2(2), object_3(3), object_4(4), object_5(5), object_6(6), object_7(7), object_8(8),
    object_9(9);
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9)
HUNDRED(1) HUNDRED(2) HUNDRED(3) HUNDRED(4) HUNDRED(5) HUNDRED(6) HUNDRED(7) HUNDRED(8) HUNDRED(9)

int main() { std::printf("%d made in order\n", in_order); }
