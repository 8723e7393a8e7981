// Sums of two numbers.
#include <fmt/core.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/tasks/task.h>

namespace weft {
namespace {

// Of the numbers below 1000 a tenth is shorter than three digits: drawn evenly, those would be too
// rare to be learned. Here three in ten are shorter, down to a single digit.
int64_t draw_number(Generator& generator, int64_t digits) {
  const int64_t lot = generator.below(20);
  const int64_t of_lot = lot == 0 ? 1 : lot < 6 ? 2 + (lot - 1) * (digits - 2) / 5 : digits;
  int64_t end = 1;
  for (int64_t i = 0; i < of_lot; ++i) end *= 10;
  return generator.below(end);
}

std::string draw_sum(Generator& generator, int64_t digits) {
  const int64_t a = draw_number(generator, digits), b = draw_number(generator, digits);
  return fmt::format("{}+{}", a, b);
}

std::string sum_of(const std::string& source) {
  const size_t plus = source.find('+');
  check(plus != std::string::npos, "addition: must be like 298+805; got '{}'", source);
  return std::to_string(std::stoll(source.substr(0, plus)) + std::stoll(source.substr(plus + 1)));
}

Task sums_task(const char* name, const char* help, int64_t digits, const Settings& overrides,
               const CorpusSizes& sizes) {
  const auto draw = [digits](Generator& generator) { return draw_sum(generator, digits); };
  return drawn_task(name, help, draw, sum_of, overrides, sizes);
}

}  // namespace

Task addition_task() {
  return sums_task("addition", "the sum of two numbers of up to three digits", 3,
                   {{"epochs", "7"}, {"d-model", "96"}, {"lr", "2e-3"}, {"decay", "1"}},
                   {.train = 60000});
}

Task addition_10_task() {
  return sums_task("addition-10", "the sum of two numbers of up to ten digits", 10,
                   {{"epochs", "20"}, {"d-model", "96"}, {"lr", "2e-3"}, {"decay", "1"}},
                   {.train = 100000});
}

}  // namespace weft
