// The share of words that stand at their place:
//   sum_i |{t : h_it = r_it}| / sum_i max(|h_i|, |r_i|),
// so that words too many count against a translation as words too few do.
#pragma once

#include <weft/seq2seq/metrics/counts.h>

namespace weft {

/// {words at their place, words of the longer side} of a sentence.
Counts token_counts(const std::string& hypothesis, const std::string& reference);

/// From sums of them: per cent; 100 where no sentence has a word.
double token_accuracy(std::span<const double> sums);

/// In per cent; 100 where no sentence has a word. Throws if there are no sentences, or not as many
/// of both.
double token_accuracy(std::span<const std::string> hypotheses,
                      std::span<const std::string> references);

}  // namespace weft
