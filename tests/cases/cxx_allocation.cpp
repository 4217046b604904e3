// The program's own operator new and delete replace the library's everywhere, aligned and sized ones too; new handlers; std::pmr.
// flags: -O0 -std=c++17 -faligned-allocation -fsized-deallocation | -O2 -std=c++17 -faligned-allocation -fsized-deallocation
// skip-lli: the library keeps its own operators
// skip-dlopen: the library keeps its own operators
// stdout: string 1, aligned 1, left 0
// stdout: bad_alloc after 2 calls
// stdout: pool 5050
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <new>
#include <sstream>
#include <string>
#include <vector>

static int plain, aligned, live;
void *operator new(std::size_t size) {
  plain++, live++;
  if (void *memory = std::malloc(size ? size : 1))
    return memory;
  throw std::bad_alloc();
}
void *operator new(std::size_t size, std::align_val_t alignment) {
  aligned++, live++;
  return std::aligned_alloc(std::size_t(alignment), size);
}
void operator delete(void *memory) noexcept { live--, std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { live--, std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { live--, std::free(memory); }
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept { live--, std::free(memory); }

struct alignas(128) Wide {
  char bytes[128];
};

int main() {
  int before = live;
  {
    plain = 0;
    // Allocated in the library, by its own instantiation of the string's code.
    std::ostringstream out;
    out << "a text that is much longer than what fits into a string without memory of its own";
    std::string text = out.str();
    int of_string = plain > 0;
    Wide *volatile wide = new Wide[3];
    int is_aligned = reinterpret_cast<unsigned long>(wide) % 128 == 0 && aligned == 1;
    delete[] wide;
    std::printf("string %d, aligned %d, ", of_string, is_aligned);
  }
  std::printf("left %d\n", live - before);
  static int calls;
  std::set_new_handler([] {
    if (++calls == 2)
      std::set_new_handler(nullptr);
  });
  volatile std::size_t huge = std::size_t(1) << 62;
  try {
    while (true) {
      if (auto handler = std::get_new_handler())
        handler();
      else {
        void *volatile memory = ::operator new(huge);
        ::operator delete(memory);
      }
    }
  } catch (const std::bad_alloc &) {
    std::printf("bad_alloc after %d calls\n", calls);
  }
  char buffer[4096];
  std::pmr::monotonic_buffer_resource resource(buffer, sizeof buffer, std::pmr::null_memory_resource());
  std::pmr::vector<int> numbers(&resource);
  int sum = 0;
  for (int i = 1; i <= 100; i++)
    numbers.push_back(i);
  for (int n : numbers)
    sum += n;
  std::printf("pool %d\n", sum);
}
