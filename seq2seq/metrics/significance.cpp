#include <weft/core/detail/check.h>
#include <weft/core/random.h>
#include <weft/seq2seq/metrics/significance.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace weft {
namespace {

using Lines = std::span<const std::string>;
using Sample = std::vector<size_t>;  // numbers of sentences

// The score of a resample, from what every sentence counts.
std::function<double(const Sample&)> scorer(const Metric& metric, Lines hypotheses,
                                            Lines references) {
  if (!metric.counts) {
    return [&metric, hypotheses, references](const Sample& sample) {
      std::vector<std::string> h, r;
      for (const size_t i : sample) {
        h.push_back(hypotheses[i]);
        r.push_back(references[i]);
      }
      return metric.score(h, r);
    };
  }
  std::vector<Counts> all;
  for (size_t i = 0; i < hypotheses.size(); ++i)
    all.push_back(metric.counts(hypotheses[i], references[i]));
  return [&metric, all = std::move(all)](const Sample& sample) {
    Counts sums;
    for (const size_t i : sample) add_counts(sums, all[i]);
    return metric.score_of_counts(sums);
  };
}

}  // namespace

std::vector<double> bootstrap_scores(const Metric& metric, Lines hypotheses, Lines references,
                                     const BootstrapOptions& options) {
  check_sentences("bootstrap_scores", hypotheses, references);
  check(options.resamples >= 1, "bootstrap_scores: resamples must be at least 1; got {}",
        options.resamples);
  const auto score = scorer(metric, hypotheses, references);
  Generator random(options.seed);
  Sample sample(hypotheses.size());
  std::vector<double> scores;
  for (int64_t resample = 0; resample < options.resamples; ++resample) {
    for (size_t& i : sample) i = static_cast<size_t>(random.below(std::ssize(sample)));
    scores.push_back(score(sample));
  }
  return scores;
}

Interval interval_95(std::vector<double> scores) {
  check(!scores.empty(), "interval_95: needs at least one score; got none");
  std::sort(scores.begin(), scores.end());
  const size_t outside = scores.size() / 40;
  return {scores[outside], scores[scores.size() - 1 - outside]};
}

double paired_p_value(std::span<const double> a, std::span<const double> b, double difference) {
  check(a.size() == b.size() && !a.empty(),
        "paired_p_value: needs scores of both systems; got {} and {}", a.size(), b.size());
  if (difference == 0) return 1;
  std::vector<double> differences(a.size());
  std::transform(a.begin(), a.end(), b.begin(), differences.begin(),
                 [](double x, double y) { return std::abs(x - y); });
  const double n = static_cast<double>(a.size());
  const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / n;
  const auto larger = std::count_if(differences.begin(), differences.end(),
                                    [&](double d) { return d - mean > std::abs(difference); });
  return (static_cast<double>(larger) + 1) / (n + 1);
}

PairedBootstrap paired_bootstrap(const Metric& metric, Lines a, Lines b, Lines references,
                                 const BootstrapOptions& options) {
  const std::vector<double> of_a = bootstrap_scores(metric, a, references, options);
  const std::vector<double> of_b = bootstrap_scores(metric, b, references, options);
  PairedBootstrap found{.score_a = metric.score(a, references),
                        .score_b = metric.score(b, references),
                        .interval_a = interval_95(of_a),
                        .interval_b = interval_95(of_b)};
  found.p_value = paired_p_value(of_a, of_b, found.score_a - found.score_b);
  int64_t better = 0;
  for (size_t i = 0; i < of_a.size(); ++i) better += metric.better(of_a[i], of_b[i]);
  found.share_better = static_cast<double>(better) / static_cast<double>(of_a.size());
  return found;
}

}  // namespace weft
