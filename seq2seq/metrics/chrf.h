// chrF (Popović, WMT 2015): the F-score of character n-grams, n = 1..6, white space left out,
//   F = (1 + beta^2) P R / (beta^2 P + R),
// P and R the means over n of the corpus's clipped precision and recall; equal to sacreBLEU's with
// one reference and without epsilon smoothing.
#pragma once

#include <weft/seq2seq/metrics/counts.h>

namespace weft {

/// {n-grams of the hypothesis, of the reference, matched} of a sentence for n = 1, then n = 2, ...
Counts chrf_counts(const std::string& hypothesis, const std::string& reference);

/// From sums of them.
double chrf(std::span<const double> sums, double beta = 2);

/// The score of hypothesis i against reference i, in [0, 100]. Orders longer than every sentence
/// of a side do not count. Throws if there are no sentences, or not as many of both.
double chrf(std::span<const std::string> hypotheses, std::span<const std::string> references,
            double beta = 2);

}  // namespace weft
