// The share of sentences that are their reference, word by word: white space only separates words,
// and no vocabulary gives it back as it was.
#pragma once

#include <weft/seq2seq/metrics/counts.h>

#include <cstdint>

namespace weft {

/// How many sentences equal their reference. Throws unless there are as many of both.
int64_t exact_matches(std::span<const std::string> hypotheses,
                      std::span<const std::string> references);

/// {1 if the sentence equals its reference, else 0; 1}.
Counts exact_counts(const std::string& hypothesis, const std::string& reference);

/// From sums of them: per cent.
double exact_match(std::span<const double> sums);

/// In per cent. Throws if there are no sentences, or not as many of both.
double exact_match(std::span<const std::string> hypotheses,
                   std::span<const std::string> references);

}  // namespace weft
