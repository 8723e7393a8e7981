// PCFG SET: nested functions that edit strings of symbols (Hupkes et al. 2020, arXiv:1908.08351).
//   S -> unary S | binary S , S | string
// The functions and their notation are the paper's. The corpus is a smaller one, drawn by other
// probabilities: 26 symbols where the paper has 520, at most 5 functions and 24 symbols of a
// target.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/task.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>
#include <array>
#include <span>

namespace weft {
namespace {

using Symbols = std::vector<std::string_view>;

struct Unary {
  std::string_view name;
  Symbols (*apply)(Symbols x);
};

struct Binary {
  std::string_view name;
  Symbols (*apply)(Symbols x, Symbols y);
};

Symbols concatenate(Symbols x, const Symbols& y) {
  x.insert(x.end(), y.begin(), y.end());
  return x;
}

Symbols reverse(Symbols x) {
  std::reverse(x.begin(), x.end());
  return x;
}

Symbols shift(Symbols x) {
  std::rotate(x.begin(), x.begin() + 1, x.end());
  return x;
}

Symbols swap_first_last(Symbols x) {
  std::swap(x.front(), x.back());
  return x;
}

Symbols echo(Symbols x) {
  x.push_back(x.back());
  return x;
}

constexpr std::array<Unary, 6> kUnary{{{"copy", [](Symbols x) { return x; }},
                                       {"reverse", reverse},
                                       {"shift", shift},
                                       {"swap_first_last", swap_first_last},
                                       {"repeat", [](Symbols x) { return concatenate(x, x); }},
                                       {"echo", echo}}};
constexpr std::array<Binary, 4> kBinary{
    {{"append", [](Symbols x, Symbols y) { return concatenate(std::move(x), y); }},
     {"prepend", [](Symbols x, Symbols y) { return concatenate(std::move(y), x); }},
     {"remove_first", [](Symbols, Symbols y) { return y; }},
     {"remove_second", [](Symbols x, Symbols) { return x; }}}};

template <class Functions>
auto find_function(const Functions& functions, std::string_view name) {
  return std::find_if(functions.begin(), functions.end(),
                      [&](const auto& function) { return function.name == name; });
}

// Reads an expression from left to right, by the grammar.
class ExpressionReader {
 public:
  explicit ExpressionReader(const std::string& expression)
      : expression_(expression), words_(split_words(expression)), left_(words_) {}

  Symbols result() {
    const Symbols result = value();
    check(left_.empty(), kExpected, expression_);
    return result;
  }

 private:
  static constexpr const char* kExpected = "pcfg: must be like append A B , reverse C D; got '{}'";

  Symbols value() {
    check(!left_.empty() && left_.front() != ",", kExpected, expression_);
    if (const auto unary = find_function(kUnary, left_.front()); unary != kUnary.end()) {
      take();
      return unary->apply(value());
    }
    const auto binary = find_function(kBinary, left_.front());
    if (binary == kBinary.end()) return string();
    take();
    const Symbols x = value();
    check(!left_.empty() && take() == ",", kExpected, expression_);
    return binary->apply(x, value());
  }

  Symbols string() {
    Symbols symbols;
    while (!left_.empty() && left_.front() != ",") symbols.push_back(take());
    return symbols;
  }

  std::string_view take() {
    const std::string_view word = left_.front();
    left_ = left_.subspan(1);
    return word;
  }

  const std::string& expression_;
  Symbols words_;
  std::span<const std::string_view> left_;
};

constexpr int64_t kMostFunctions = 5, kShortestString = 2, kLongestString = 5, kLongestTarget = 24;

std::string draw_string(Generator& generator) {
  std::string text;
  int64_t left = kShortestString + generator.below(kLongestString - kShortestString + 1);
  for (; left > 0; --left) {
    if (!text.empty()) text += ' ';
    text += static_cast<char>('A' + generator.below(26));
  }
  return text;
}

// With so many functions.
std::string draw_nested(Generator& generator, int64_t functions) {
  if (functions == 0) return draw_string(generator);
  const auto lot = static_cast<size_t>(generator.below(kUnary.size() + kBinary.size()));
  if (lot < kUnary.size())
    return std::string(kUnary[lot].name) + " " + draw_nested(generator, functions - 1);
  const int64_t of_first = generator.below(functions);
  const std::string first = draw_nested(generator, of_first);
  return std::string(kBinary[lot - kUnary.size()].name) + " " + first + " , " +
         draw_nested(generator, functions - 1 - of_first);
}

std::string draw_expression(Generator& generator) {
  std::string expression;
  do {
    expression = draw_nested(generator, 1 + generator.below(kMostFunctions));
  } while (std::ssize(ExpressionReader(expression).result()) > kLongestTarget);
  return expression;
}

std::string evaluate(const std::string& expression) {
  std::string text;
  for (const std::string_view symbol : ExpressionReader(expression).result()) {
    if (!text.empty()) text += ' ';
    text += symbol;
  }
  return text;
}

}  // namespace

Task pcfg_task() {
  return drawn_task("pcfg", "what nested edits make of strings", draw_expression, evaluate,
                    {{"tokens", "word"},
                     {"epochs", "10"},
                     {"d-model", "96"},
                     {"ffn", "192"},
                     {"lr", "2e-3"},
                     {"decay", "1"},
                     {"label-smoothing", "0"}},
                    {.train = 40000});
}

}  // namespace weft
