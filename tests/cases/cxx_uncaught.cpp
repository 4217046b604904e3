// An exception that nobody catches: terminate, its message, SIGABRT.
// signal: 6
#include <stdexcept>
int main() { throw std::runtime_error("nobody listens"); }
