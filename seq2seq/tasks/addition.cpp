#include <fmt/core.h>
#include <weft/seq2seq/tasks/addition.h>

namespace weft {
namespace {

constexpr int64_t kNumbers = 1000;

std::string draw_sum(Generator& generator) {
  const int64_t a = generator.below(kNumbers), b = generator.below(kNumbers);
  return fmt::format("{}+{}", a, b);
}

std::string add(const std::string& source) {
  const size_t plus = source.find('+');
  return std::to_string(std::stoll(source.substr(0, plus)) + std::stoll(source.substr(plus + 1)));
}

}  // namespace

Task addition_task() {
  const TaskDefaults defaults{{"tokens", "char"}, {"metric", "exact"}, {"d-model", "64"},
                              {"ffn", "128"},     {"dropout", "0"},    {"max-tokens", "512"},
                              {"warmup", "800"},  {"clip", "1"},       {"decay", "2"},
                              {"epochs", "30"}};
  return {"addition", "the sum of two numbers of up to three digits",
          [defaults] { return draw_corpus(draw_sum, add, defaults); }, add};
}

}  // namespace weft
