// iostream, string and containers: static initialisers of the library, imports by the hundred.
// flags: -O0 | -O2
// stdin: the quick brown fox jumps over the lazy dog the end
// stdout: 9 words, the: 3
// stdout: brown dog end fox jumps lazy over quick the
// stdout: 3.142 0xff
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

int main() {
  std::map<std::string, int> count;
  for (std::string word; std::cin >> word;)
    ++count[word];
  std::cout << count.size() << " words, the: " << count["the"] << std::endl;
  std::vector<std::string> words;
  for (const auto &[word, times] : count)
    words.push_back(word);
  std::sort(words.begin(), words.end());
  std::ostringstream line;
  for (const auto &word : words)
    line << (line.tellp() ? " " : "") << word;
  std::cout << line.str() << '\n' << std::setprecision(4) << 3.14159 << " 0x" << std::hex << 255 << std::endl;
}
