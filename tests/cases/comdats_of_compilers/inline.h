// What every file has a copy of, and the program one.
#pragma once
#include <cstdio>
#include <typeinfo>

struct Counted {
  static inline int made = 0;
  Counted() { made++; }
  virtual ~Counted() {}
  virtual const char *name() const { return "counted"; }
};
template <class T> struct Holder {
  static T value;
};
template <class T> T Holder<T>::value = T(7);
inline Counted &shared() {
  static Counted one;
  return one;
}
inline thread_local int per_thread = 3;
inline int next() {
  static int number = 0;
  return ++number;
}
struct Seen {
  Counted *shared;
  int *value, *per_thread;
  const std::type_info *type;
  int (*next)();
};
inline Seen look() {
  next();
  per_thread++;
  Holder<int>::value++;
  return {&shared(), &Holder<int>::value, &per_thread, &typeid(Counted), next};
}
