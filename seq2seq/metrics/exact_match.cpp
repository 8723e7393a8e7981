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

double exact_match(std::span<const std::string> hypotheses,
                   std::span<const std::string> references) {
  check(!hypotheses.empty(), "exact_match: needs at least one sentence; got none");
  return 100 * static_cast<double>(exact_matches(hypotheses, references)) /
         static_cast<double>(references.size());
}

}  // namespace weft
