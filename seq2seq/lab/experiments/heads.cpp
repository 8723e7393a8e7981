#include <fmt/format.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/lab/experiments/heads.h>
#include <weft/seq2seq/lab/head_curvature.h>
#include <weft/seq2seq/lab/sentence_tables.h>
#include <weft/seq2seq/metrics/exact_match.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft {
namespace {

// Hessian products keep the whole graph of their batch.
constexpr int64_t kCurvatureSentences = 32;

std::vector<Pair> first_pairs(const Subject& subject, int64_t count) {
  const ParallelText& text = subject.sentences.text;
  std::vector<Pair> pairs;
  for (size_t i = 0; std::ssize(pairs) < std::min<int64_t>(count, std::ssize(text.source)); ++i)
    pairs.push_back({encode_source(subject.vocabulary, text.source[i]),
                     encode_target(subject.vocabulary, text.target[i])});
  return pairs;
}

// With |dL/dxi| of each sentence, a mean.
std::vector<Head> measured_heads(const Subject& subject, std::span<const Pair> pairs) {
  const auto study = [&](size_t i) {
    return Study(subject.model, pairs[i].source, pairs[i].target);
  };
  const auto one = [&](int64_t i) {
    SentenceTables tables;
    tables.heads.add(study(static_cast<size_t>(i)));
    return tables.bytes();
  };
  SentenceTables all;
  for (const std::string& bytes : subject.share(std::ssize(pairs), one))
    all.add(SentenceTables::from_bytes(bytes));
  return pairs.empty() ? std::vector<Head>{} : heads_of(study(0), all.heads);
}

using Curve = std::vector<PruningCurve::Point>;

// Greedy exact match of the first sentences without ever more heads.
class Removal {
 public:
  Removal(const Subject& subject, const HeadsOptions& o, size_t sentences)
      : subject_(subject),
        points_(o.points),
        sources_(std::span(subject.sentences.text.source).first(sentences)),
        targets_(std::span(subject.sentences.text.target).first(sentences)) {}

  Curve operator()(const std::vector<Head>& heads) const {
    const auto value = [this] {
      return exact_match(translate_all(subject_.model, subject_.vocabulary, sources_), targets_);
    };
    return take_out(heads, points_, value, subject_.share);
  }

 private:
  const Subject& subject_;
  int64_t points_;
  std::span<const std::string> sources_, targets_;
};

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.) / static_cast<double>(values.size());
}

double deviation_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += std::pow(v - mean_of(values), 2);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

void fill_table(const Curve& importance, const Curve& curvature, const std::vector<Curve>& random,
                ExperimentResult& result) {
  result.plot.series = {{"importance", {}}, {"curvature", {}}, {"random, mean", {}}};
  for (size_t i = 0; i < importance.size(); ++i) {
    std::vector<double> values;
    for (const Curve& curve : random) values.push_back(curve[i].value);
    const double numbers[] = {importance[i].value, curvature[i].value, mean_of(values)};
    const int64_t kept = importance[i].kept;
    result.table.rows.push_back(
        {fmt::format("{}", kept), numbers[0], numbers[1], numbers[2], deviation_of(values)});
    for (size_t s = 0; s < std::size(numbers); ++s)
      result.plot.series[s].points.emplace_back(static_cast<double>(kept), numbers[s]);
  }
}

double mean_value(const Plot::Series& curve) {
  std::vector<double> values;
  for (const auto& point : curve.points) values.push_back(point.second);
  return mean_of(values);
}

std::string verdict(const Plot& plot) {
  std::string said;
  const Plot::Series* best = plot.series.data();
  for (const Plot::Series& curve : plot.series) {
    said += fmt::format("{}{:.1f} % ({})", said.empty() ? "" : ", ", mean_value(curve), curve.name);
    if (mean_value(curve) > mean_value(*best)) best = &curve;
  }
  return fmt::format(
      "Exact match, a mean over the numbers of heads: {}. The order that spares most "
      "is {}; without any head {:.1f} % are left.",
      said, best->name, best->points.back().second);
}

}  // namespace

ExperimentResult heads_experiment(const Subject& subject, const HeadsOptions& o) {
  check(o.sentences >= 1, "heads: needs at least one sentence; got {}", o.sentences);
  check(o.points >= 1, "heads: points must be positive; got {}", o.points);
  check(o.orders > 1, "heads: orders must be at least 2; got {}", o.orders);
  const std::vector<Pair> pairs = first_pairs(subject, o.sentences);
  std::vector<Head> heads = measured_heads(subject, pairs);
  check(!heads.empty(), "heads: the model has no MultiheadAttention");
  const Removal remove(subject, o, pairs.size());
  ExperimentResult result;
  result.table.columns = {"heads kept", "importance", "curvature", "random", "deviation"};
  result.plot = {.title = "Exact match without some heads",
                 .x_label = "heads kept",
                 .y_label = "exact match, %",
                 .series = {}};
  sort_by_importance(heads);
  const Curve by_importance = remove(heads);
  const auto batch = std::span(pairs).first(
      static_cast<size_t>(std::min<int64_t>(kCurvatureSentences, std::ssize(pairs))));
  const std::vector<double> growth = growth_without(subject.model, heads, batch);
  for (size_t i = 0; i < heads.size(); ++i) heads[i].importance = growth[i];
  sort_by_importance(heads);
  const Curve by_curvature = remove(heads);
  std::vector<Curve> random;
  Generator generator(static_cast<uint64_t>(o.seed));
  for (int64_t i = 0; i < o.orders; ++i) {
    shuffle(heads, generator);
    random.push_back(remove(heads));
  }
  fill_table(by_importance, by_curvature, random, result);
  result.verdict = verdict(result.plot);
  return result;
}

}  // namespace weft
