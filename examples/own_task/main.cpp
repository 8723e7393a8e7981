// A task of your own in weft's command line: words to Pig Latin.
//   own_task tasks
//   own_task train --task pig_latin --model-dir pig_latin
//   echo weft | own_task run --model-dir pig_latin
#include <weft/seq2seq.h>

#include <algorithm>

using namespace weft;

namespace {

std::string draw_word(Generator& generator) {
  std::string word(static_cast<size_t>(4 + generator.below(4)), ' ');
  for (char& c : word) c = static_cast<char>('a' + generator.below(26));
  return word;
}

// The consonants that a word begins with go to its end, before "ay".
std::string pig_latin(const std::string& word) {
  const size_t vowel = std::min(word.find_first_of("aeiou"), word.size());
  return word.substr(vowel) + word.substr(0, vowel) + "ay";
}

}  // namespace

int main(int argc, char** argv) {
  Program program;
  program.add_task(drawn_task("pig_latin", "4 to 7 letters in Pig Latin", draw_word, pig_latin,
                              {{"epochs", "6"}}));
  return program.run(argc, argv);
}
