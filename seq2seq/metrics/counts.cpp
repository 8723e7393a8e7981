#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/counts.h>

namespace weft {

void check_sentences(const char* who, std::span<const std::string> hypotheses,
                     std::span<const std::string> references) {
  check(hypotheses.size() == references.size() && !hypotheses.empty(),
        "{}: needs sentences and one reference for each; got {} hypotheses and {} references", who,
        hypotheses.size(), references.size());
}

void add_counts(Counts& sums, std::span<const double> counts) {
  if (sums.empty()) sums.resize(counts.size());
  check(sums.size() == counts.size(), "add_counts: expected {} counts; got {}", sums.size(),
        counts.size());
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += counts[i];
}

}  // namespace weft
