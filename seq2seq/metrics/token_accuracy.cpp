#include <weft/seq2seq/metrics/token_accuracy.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>

namespace weft {

Counts token_counts(const std::string& hypothesis, const std::string& reference) {
  const auto h = split_words(hypothesis), r = split_words(reference);
  const size_t both = std::min(h.size(), r.size());
  int64_t equal = 0;
  for (size_t t = 0; t < both; ++t) equal += h[t] == r[t];
  return {static_cast<double>(equal), static_cast<double>(std::max(h.size(), r.size()))};
}

double token_accuracy(std::span<const double> sums) {
  return sums[1] == 0 ? 100 : 100 * sums[0] / sums[1];
}

double token_accuracy(std::span<const std::string> hypotheses,
                      std::span<const std::string> references) {
  return token_accuracy(sum_counts("token_accuracy", hypotheses, references, token_counts));
}

}  // namespace weft
