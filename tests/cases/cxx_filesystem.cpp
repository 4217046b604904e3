// <filesystem>: directories made, walked and removed; its errors as exceptions and as codes.
// flags: -O1 -std=c++20
// stdout: a/b 0
// stdout: a/b/one.txt 6
// stdout: a/two.txt 11
// stdout: 17 bytes
// stdout: 2: No such file or directory
// stdout: removed 4
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <unistd.h>

namespace fs = std::filesystem;

int main() {
  fs::path root = fs::temp_directory_path() / ("larder-case-" + std::to_string(getpid()));
  fs::create_directories(root / "a" / "b");
  std::ofstream(root / "a" / "b" / "one.txt") << "one 1\n";
  std::ofstream(root / "a" / "two.txt", std::ios::binary) << "two\n" << 2.5 << "\nend";
  std::set<fs::path> found;
  std::uintmax_t bytes = 0;
  for (const auto &entry : fs::recursive_directory_iterator(root / "a"))
    found.insert(entry.path());
  for (const auto &path : found) {
    auto size = fs::is_regular_file(path) ? fs::file_size(path) : 0;
    bytes += size;
    std::cout << fs::relative(path, root).string() << ' ' << size << '\n';
  }
  std::cout << bytes << " bytes\n";
  try {
    fs::copy(root / "nothing", root / "something");
  } catch (const fs::filesystem_error &e) {
    std::cout << e.code().value() << ": " << e.code().message() << '\n';
  }
  std::cout << "removed " << fs::remove_all(root / "a") << '\n';
  fs::remove(root);
}
