// <random>, <chrono>, <numeric>, <charconv>, <complex>, <valarray>, <bitset>: library code in the module, constants from everywhere.
// flags: -O2 -std=c++20 | -O0 -std=c++20
#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <random>
#include <sstream>
#include <valarray>

int main() {
  std::mt19937_64 engine(42);
  std::uniform_int_distribution<int> dice(1, 6);
  std::normal_distribution<double> normal(10, 2);
  std::discrete_distribution<int> weighted({1, 2, 3});
  std::array<int, 7> counts{};
  for (int i = 0; i < 6000; i++)
    counts[dice(engine)]++;
  for (int i = 1; i <= 6; i++)
    std::cout << counts[i] << ' ';
  std::cout << std::setprecision(12) << normal(engine) << ' ' << weighted(engine) << '\n';
  using namespace std::chrono;
  auto day = sys_days(2026y / November / 22);
  std::cout << (day - sys_days(1970y / January / 1)).count() << ' ' << weekday(day).iso_encoding() << ' '
            << duration_cast<seconds>(36h + 5min).count() << '\n';
  std::vector<int> numbers(100);
  std::iota(numbers.begin(), numbers.end(), 1);
  std::shuffle(numbers.begin(), numbers.end(), engine);
  std::nth_element(numbers.begin(), numbers.begin() + 50, numbers.end());
  std::cout << numbers[50] << ' ' << std::gcd(84, 36) << ' ' << std::lcm(21, 6) << '\n';
  char text[64];
  auto end = std::to_chars(text, text + 64, 0.1 + 0.2).ptr;
  *end = 0;
  double back = 0;
  std::from_chars(text, end, back);
  std::printf("%s %d\n", text, back == 0.1 + 0.2);
  std::complex<double> z = std::polar(2.0, std::acos(-1.0) / 3);
  std::cout << std::fixed << std::setprecision(6) << z * z << ' ' << std::pow(z, 3) << '\n';
  std::valarray<double> v = {1, 2, 3, 4};
  std::cout << std::valarray<double>(std::sqrt(v) * 2.0).sum() << ' ' << std::bitset<16>(0xabcd).count() << '\n';
  std::istringstream in("12 0x1f 1e3 word");
  int a, b;
  double c;
  std::string d;
  in >> a >> std::hex >> b >> c >> d;
  std::cout << a << ' ' << b << ' ' << c << ' ' << d << '\n';
}
