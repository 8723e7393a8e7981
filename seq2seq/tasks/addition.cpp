// Sums of two numbers.
#include <fmt/core.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/task.h>

namespace weft {
namespace {

// Of the numbers below 1000 a tenth is shorter than three digits: drawn evenly, those would be too
// rare to be learned. Here more than a third is.
int64_t draw_number(Generator& generator) {
  const int64_t lot = generator.below(20);
  return generator.below(lot == 0 ? 10 : lot < 6 ? 100 : 1000);
}

std::string draw_sum(Generator& generator) {
  const int64_t a = draw_number(generator), b = draw_number(generator);
  return fmt::format("{}+{}", a, b);
}

std::string sum_of(const std::string& source) {
  const size_t plus = source.find('+');
  check(plus != std::string::npos, "addition: must be like 298+805; got '{}'", source);
  return std::to_string(std::stoll(source.substr(0, plus)) + std::stoll(source.substr(plus + 1)));
}

}  // namespace

Task addition_task() {
  return drawn_task("addition", "the sum of two numbers of up to three digits", draw_sum, sum_of,
                    {{"epochs", "7"}, {"d-model", "96"}, {"lr", "2e-3"}, {"decay", "1"}},
                    {.train = 60000});
}

}  // namespace weft
