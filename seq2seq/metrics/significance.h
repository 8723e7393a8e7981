// How far a score would be another with other sentences, and whether one system is better than
// another by more than that: bootstrap resampling (Efron, 1979) and its paired form for
// translation (Koehn, "Statistical significance tests for machine translation evaluation", EMNLP
// 2004). A resample draws as many sentences as there are, with replacement.
#pragma once

#include <weft/seq2seq/metrics/metric.h>

#include <cstdint>

namespace weft {

struct BootstrapOptions {
  int64_t resamples = 1000;
  uint64_t seed = 0;  ///< the same draws the same sentences, whatever the system and the metric
};

/// The score of each resample. Calls the metric's `counts` once for each sentence, or where it has
/// none its `score` for each resample. Throws if there are no sentences, not as many of both, or
/// `resamples` is below 1.
std::vector<double> bootstrap_scores(const Metric& metric, std::span<const std::string> hypotheses,
                                     std::span<const std::string> references,
                                     const BootstrapOptions& options = {});

struct Interval {
  double low = 0, high = 0;
};
/// What remains of the scores without the n / 40 lowest and the n / 40 highest: 95 %. Throws if
/// there are none.
Interval interval_95(std::vector<double> scores);

/// Two-sided p-value of a difference between two systems whose resamples scored a and b. With
/// d_i = |a_i - b_i| of n resamples, as in sacreBLEU,
///   p = (1 + #{i : d_i - mean d > |difference|}) / (n + 1),
/// but 1 where there is no difference. Throws unless there are as many of both, at least one.
double paired_p_value(std::span<const double> a, std::span<const double> b, double difference);

struct PairedBootstrap {
  double score_a = 0, score_b = 0;  ///< of all sentences
  Interval interval_a, interval_b;
  double p_value = 1;
  double share_better = 0;  ///< of the resamples, those in which a is better than b
};

/// Compares two systems on the same resamples of the same references. Throws as
/// bootstrap_scores().
PairedBootstrap paired_bootstrap(const Metric& metric, std::span<const std::string> a,
                                 std::span<const std::string> b,
                                 std::span<const std::string> references,
                                 const BootstrapOptions& options = {});

}  // namespace weft
