// A task of your own in weft's command line: words to Morse code.
//   own_task tasks
//   own_task train --task morse --model-dir morse
//   echo weft | own_task run --model-dir morse
#include <weft/seq2seq.h>

#include <array>

using namespace weft;

namespace {

constexpr std::array kCodes{".-",   "-...", "-.-.", "-..",  ".",   "..-.", "--.",  "....", "..",
                            ".---", "-.-",  ".-..", "--",   "-.",  "---",  ".--.", "--.-", ".-.",
                            "...",  "-",    "..-",  "...-", ".--", "-..-", "-.--", "--.."};

std::string draw_word(Generator& generator) {
  std::string word(static_cast<size_t>(3 + generator.below(4)), ' ');
  for (char& c : word) c = static_cast<char>('a' + generator.below(26));
  return word;
}

std::string morse(const std::string& word) {
  std::string code;
  for (const char c : word) {
    if (!code.empty()) code += ' ';
    code += kCodes.at(static_cast<size_t>(c - 'a'));
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Program program;
  program.add_task(
      drawn_task("morse", "3 to 6 letters in Morse code", draw_word, morse, {{"epochs", "6"}}));
  return program.run(argc, argv);
}
