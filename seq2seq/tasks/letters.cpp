#include <weft/seq2seq/tasks/letters.h>

#include <algorithm>

namespace weft {
namespace {

constexpr int64_t kShortest = 5, kLongest = 12, kLetters = 26;

std::string draw_letters(Generator& generator) {
  std::string text(static_cast<size_t>(kShortest + generator.below(kLongest - kShortest + 1)), ' ');
  for (char& c : text) c = static_cast<char>('a' + generator.below(kLetters));
  return text;
}

Task letters_task(std::string name, std::string help, std::string epochs,
                  std::function<std::string(const std::string&)> answer) {
  const TaskDefaults defaults{
      {"tokens", "char"}, {"metric", "exact"},          {"d-model", "64"}, {"ffn", "128"},
      {"dropout", "0"},   {"max-tokens", "512"},        {"warmup", "800"}, {"clip", "1"},
      {"decay", "2"},     {"epochs", std::move(epochs)}};
  auto corpus = [answer, defaults] { return draw_corpus(draw_letters, answer, defaults); };
  return {std::move(name), std::move(help), std::move(corpus), std::move(answer)};
}

}  // namespace

Task copy_task() {
  return letters_task("copy", "5 to 12 letters as they are", "8",
                      [](const std::string& source) { return source; });
}

Task reverse_task() {
  return letters_task("reverse", "5 to 12 letters from the last to the first", "8",
                      [](std::string text) {
                        std::reverse(text.begin(), text.end());
                        return text;
                      });
}

Task sort_task() {
  return letters_task("sort", "5 to 12 letters in the order of the alphabet", "12",
                      [](std::string text) {
                        std::sort(text.begin(), text.end());
                        return text;
                      });
}

}  // namespace weft
