// Copying, reversing and sorting of letters.
#include <weft/seq2seq/tasks/task.h>

#include <algorithm>
#include <functional>

namespace weft {
namespace {

constexpr int64_t kShortest = 5, kLongest = 12, kLetters = 26;

std::string draw_letters(Generator& generator) {
  std::string text(static_cast<size_t>(kShortest + generator.below(kLongest - kShortest + 1)), ' ');
  for (char& c : text) c = static_cast<char>('a' + generator.below(kLetters));
  return text;
}

std::string reversed(std::string text) {
  std::reverse(text.begin(), text.end());
  return text;
}

std::string sorted(std::string text) {
  std::sort(text.begin(), text.end());
  return text;
}

}  // namespace

Task copy_task() {
  return drawn_task("copy", "5 to 12 letters as they are", draw_letters, std::identity(),
                    {{"epochs", "12"}, {"label-smoothing", "0"}, {"lr", "0.003"}});
}

Task reverse_task() {
  return drawn_task("reverse", "5 to 12 letters from the last to the first", draw_letters, reversed,
                    {{"epochs", "12"}, {"label-smoothing", "0"}, {"lr", "0.003"}});
}

Task sort_task() {
  return drawn_task("sort", "5 to 12 letters in the order of the alphabet", draw_letters, sorted,
                    {{"epochs", "18"}});
}

}  // namespace weft
