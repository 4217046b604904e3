// Regular expressions: templates of a thousand instantiations, std::function in automata, exceptions for bad patterns.
// flags: -O1
// stdout: 2026-11-22: 22 of 11 in 2026
// stdout: key=value [key] [value]
// stdout: other=7 [other] [7]
// stdout: a-b-c
// stdout: error: 1
#include <cstdio>
#include <iostream>
#include <regex>
#include <string>

int main() {
  std::string text = "on 2026-11-22, key=value and other=7";
  std::smatch match;
  if (std::regex_search(text, match, std::regex(R"((\d{4})-(\d\d)-(\d\d))")))
    std::cout << match[0] << ": " << match[3] << " of " << match[2] << " in " << match[1] << '\n';
  std::regex pair(R"((\w+)=(\w+))");
  for (std::sregex_iterator i(text.begin(), text.end(), pair), end; i != end; ++i)
    std::cout << i->str() << " [" << (*i)[1] << "] [" << (*i)[2] << "]\n";
  std::cout << std::regex_replace(std::string("a, b;c"), std::regex("[,; ]+"), "-") << std::endl;
  try {
    std::regex bad("(unclosed");
  } catch (const std::regex_error &e) {
    std::printf("error: %d\n", e.code() == std::regex_constants::error_paren);
  }
}
