// iostreams with a locale, a facet and a stream buffer of the program's own: virtual calls in both directions, registered by static ids.
// flags: -O1 | -O0
// stdout: 1'234'567 yes 2,5
// stdout: [line one]
// stdout: [line two]
// stdout: 3 writes
// stdout: fail 1 eof 0
#include <iostream>
#include <locale>
#include <sstream>
#include <streambuf>

struct Grouped : std::numpunct<char> {
  char do_thousands_sep() const override { return '\''; }
  std::string do_grouping() const override { return "\3"; }
  char do_decimal_point() const override { return ','; }
  std::string do_truename() const override { return "yes"; }
};
struct Lines : std::streambuf {
  std::string line;
  int writes = 0;
  int overflow(int letter) override {
    if (letter == '\n') {
      std::cout.rdbuf()->sputc('[');
      std::cout << line << "]\n";
      line.clear();
    } else {
      line += static_cast<char>(letter);
    }
    return letter;
  }
  std::streamsize xsputn(const char *text, std::streamsize count) override {
    writes++;
    for (std::streamsize i = 0; i < count; i++)
      overflow(text[i]);
    return count;
  }
};

int main() {
  std::ostringstream out;
  out.imbue(std::locale(std::locale::classic(), new Grouped));
  out << 1234567 << ' ' << std::boolalpha << true << ' ' << 2.5;
  std::cout << out.str() << std::endl;
  Lines lines;
  std::ostream to_lines(&lines);
  to_lines << "line one\n"
           << "line " << "two\n";
  std::cout << lines.writes << " writes\n";
  std::istringstream in("x");
  int number;
  in >> number;
  std::cout << "fail " << in.fail() << " eof " << in.eof() << '\n';
}
