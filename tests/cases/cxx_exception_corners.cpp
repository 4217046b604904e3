// Corners of exception handling: partly built objects, conversions of what is caught, bases at offsets, the life of what is thrown.
// flags: -O0 | -O2 | -Os -mcmodel=large -fno-pic | -O2 -fstack-protector-all -fno-plt
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>

struct Part {
  static inline int count, made;
  int number;
  explicit Part(int limit = 3) : number(made++) {
    if (number >= limit)
      throw number;
    ++count;
  }
  ~Part() { --count; }
};
struct Whole {
  Part a, b, c;
  Part more[3];
  Whole() try : a(9), b(9), c(9) {
  } catch (int &n) {
    std::printf("whole: %d, left %d\n", n, Part::count);
    n += 100;
  }
};

struct Left {
  virtual ~Left() = default;
  long left = 1;
};
struct Right {
  virtual ~Right() = default;
  long right = 2;
};
struct Middle : virtual Left {
  long middle = 3;
};
struct Both : Middle, Right, virtual Left {
  long both = 4;
};
struct Hidden : private Left {};

template <class T, class C> static void as(T thrown, const char *name) {
  try {
    try {
      throw thrown;
    } catch (C) {
      std::printf("%s ", name);
    }
  } catch (...) {
    std::printf("not:%s ", name);
  }
}

struct alignas(16) Wide {
  char bytes[192] = {42};
};
struct Large {
  int numbers[20000];
};
struct Copied {
  static inline int alive;
  Copied() { ++alive; }
  Copied(const Copied &) { ++alive; }
  ~Copied() { --alive; }
};
struct Uncaught {
  ~Uncaught() {
    std::printf("uncaught %d\n", std::uncaught_exceptions());
    try {
      throw 1L;
    } catch (long) {
      std::printf("within %d\n", std::uncaught_exceptions());
    }
  }
};

[[gnu::noinline]] static int sum(int count, ...) {
  va_list list;
  va_start(list, count);
  Part::made = 0;
  volatile char *space = static_cast<char *>(__builtin_alloca(count * 100));
  space[count] = 1;
  int sum = 0;
  while (count--)
    sum += va_arg(list, int);
  va_end(list);
  if (sum)
    throw sum;
  return 0;
}

int main() {
  try {
    Whole whole;
  } catch (int n) {
    std::printf("whole gives %d, left %d\n", n, Part::count);
  }
  Part::made = 0;
  try {
    auto parts = std::unique_ptr<Part[]>(new Part[8]);
  } catch (int n) {
    std::printf("array stops at %d, left %d\n", n, Part::count);
  }
  as<Both, Left &>({}, "virtual base");
  as<Both, Right>({}, "second base");
  as<Both *, Right *>(nullptr, "pointer to second base");
  as<Hidden, Left &>({}, "private base");
  as<int *, const void *>(nullptr, "pointer to const void");
  as<int *, const volatile int *>(nullptr, "more qualifiers");
  as<const int *, int *>(nullptr, "fewer qualifiers");
  as<std::nullptr_t, int Left::*>(nullptr, "null as member pointer");
  as<int, long>(1, "no conversion of numbers");
  as<void (*)(), void (*)()>(nullptr, "function pointer");
  std::puts("");
  try {
    Both both;
    both.right = 20;
    throw both;
  } catch (Right &right) {
    std::printf("%ld %ld\n", right.right, dynamic_cast<Both &>(right).left);
  }
  try {
    throw Wide();
  } catch (Wide &wide) {
    std::printf("%d %d\n", wide.bytes[0], int(reinterpret_cast<std::uintptr_t>(&wide) % 16));
  }
  auto large = std::make_unique<Large>();
  large->numbers[19999] = 5;
  try {
    throw *large;
  } catch (const Large &caught) {
    std::printf("%d\n", caught.numbers[19999]);
  }
  std::exception_ptr kept;
  try {
    throw Copied();
  } catch (...) {
    kept = std::current_exception();
  }
  std::printf("alive %d", Copied::alive);
  kept = nullptr;
  std::printf(", then %d\n", Copied::alive);
  try {
    Uncaught uncaught;
    throw 1;
  } catch (int) {
  }
  try {
    sum(3, 1, 2, 3);
  } catch (int n) {
    std::printf("sum %d\n", n);
  }
}
