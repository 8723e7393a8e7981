#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/text/utf8.h>

#include <functional>
#include <numeric>

namespace weft {

int64_t exact_matches(std::span<const std::string> hypotheses,
                      std::span<const std::string> references) {
  check(hypotheses.size() == references.size(),
        "exact_match: needs one reference for each hypothesis; got {} hypotheses and {} references",
        hypotheses.size(), references.size());
  const auto equal = [](const std::string& hypothesis, const std::string& reference) {
    return split_words(hypothesis) == split_words(reference);
  };
  return std::inner_product(hypotheses.begin(), hypotheses.end(), references.begin(), int64_t{0},
                            std::plus<>(), equal);
}

Counts exact_counts(const std::string& hypothesis, const std::string& reference) {
  return {static_cast<double>(exact_matches({&hypothesis, 1}, {&reference, 1})), 1};
}

double exact_match(std::span<const double> sums) { return 100 * sums[0] / sums[1]; }

double exact_match(std::span<const std::string> hypotheses,
                   std::span<const std::string> references) {
  return exact_match(sum_counts("exact_match", hypotheses, references, exact_counts));
}

}  // namespace weft
