// What a metric is to the rest: a name and a score of translations against references. A new one is
// a file with its function and a line in metric.cpp.
#pragma once

#include <weft/seq2seq/metrics/bleu.h>

#include <cmath>
#include <functional>

namespace weft {

struct Metric {
  std::string name;   ///< on the command line and in files: "bleu"
  std::string title;  ///< for people: "BLEU"
  bool higher_is_better = true;
  /// The score of hypothesis i against reference i, in per cent. Called with equally many of both,
  /// at least one.
  std::function<double(std::span<const std::string> hypotheses,
                       std::span<const std::string> references)>
      score;
  /// Where the score is a function of sums over sentences, both of these: with them a bootstrap
  /// (significance.h) need not compare any sentence twice.
  std::function<Counts(const std::string& hypothesis, const std::string& reference)> counts = {};
  std::function<double(std::span<const double> sums)> score_of_counts = {};

  /// Whether score `a` is better than `b`; any is better than none (NaN).
  bool better(double a, double b) const {
    if (std::isnan(b)) return !std::isnan(a);
    return higher_is_better ? a > b : a < b;
  }
  /// Whether no score is better than `value`.
  bool perfect(double value) const { return higher_is_better ? value >= 100 : value <= 0; }
};

/// BLEU by these rules.
Metric bleu_metric(const BleuOptions& options);

/// "bleu" (of words as they stand), "chrf", "exact", "tokens", "ter", "wer".
const std::vector<Metric>& builtin_metrics();

}  // namespace weft
