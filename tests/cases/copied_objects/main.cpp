// extra-object: by_gcc.cpp g++ -O2 -fPIE
// skip-lli: its linker has no room for copies, and the distance to the C++ library does not fit 32 bits
// stdin: 42
// stdout: 1 hello from gcc 0x2a and the module
// stdout: tied 1
// stdout: words 5
// stdout: caught St13runtime_error thrown by gcc
// stdout: read 42
// stdout: one derived of 4base 1
// exit: 2
//
// Streams and type information of the C++ library are in the program, since an object that gcc compiled as it does by default reaches them
// by their distance: they are constructed there, and all parts of the program and the library use the same.
#include <iostream>
#include <stdexcept>
#include <typeinfo>

struct base {
  virtual ~base() {}
};
std::ostream *by_gcc();
void thrown_by_gcc();
bool is_derived(base *);
base *make_derived();
int read_by_gcc();

int main() {
  std::ostream *stream = by_gcc();
  std::cout << " and the module" << std::endl;
  std::cout << "tied " << (std::cin.tie() == stream && stream == &std::cout) << '\n';
  std::cout.iword(20) = 5;
  std::cout << "words " << stream->iword(20) << '\n';
  try {
    thrown_by_gcc();
  } catch (const std::exception &thrown) {
    std::cout << "caught " << typeid(thrown).name() << ' ' << thrown.what() << '\n';
  }
  std::cout << "read " << read_by_gcc() << '\n';
  base *object = make_derived();
  std::cout << "one derived of " << typeid(base).name() << ' ' << is_derived(object) << '\n';
  delete object;
  std::clog << "not held back\n";
  return 2;
}
