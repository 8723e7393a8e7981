#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/token_accuracy.h>
#include <weft/seq2seq/text/utf8.h>

#include <algorithm>

namespace weft {

double token_accuracy(std::span<const std::string> hypotheses,
                      std::span<const std::string> references) {
  check(hypotheses.size() == references.size() && !hypotheses.empty(),
        "token_accuracy: needs sentences and one reference for each; got {} hypotheses and {} "
        "references",
        hypotheses.size(), references.size());
  size_t equal = 0, all = 0;
  for (size_t i = 0; i < hypotheses.size(); ++i) {
    const auto h = split_words(hypotheses[i]), r = split_words(references[i]);
    const size_t both = std::min(h.size(), r.size());
    for (size_t t = 0; t < both; ++t) equal += h[t] == r[t];
    all += std::max(h.size(), r.size());
  }
  return all == 0 ? 100 : 100 * static_cast<double>(equal) / static_cast<double>(all);
}

}  // namespace weft
