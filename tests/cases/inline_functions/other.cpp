inline int next() {
  static int counter = 0;
  return ++counter;
}
template <class T> struct Box {
  static T value;
};
template <class T> T Box<T>::value = 3;

int other() { return next(); }
const int *where() { return &Box<int>::value; }
