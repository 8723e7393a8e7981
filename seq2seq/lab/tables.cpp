#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/inspect/faithfulness.h>
#include <weft/nn/inspect/head_importance.h>
#include <weft/nn/inspect/rank_correlation.h>
#include <weft/nn/inspect/soft_faithfulness.h>
#include <weft/nn/inspect/spread.h>
#include <weft/seq2seq/lab/tables.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

bool all_finite(const Tensor& x) {
  const std::vector<double> numbers = to(x, kFloat64).to_vector<double>();
  return std::all_of(numbers.begin(), numbers.end(), [](double n) { return std::isfinite(n); });
}

using Index = std::optional<int64_t>;

AttentionMap to_map(const Tensor& m) { return {m.size(0), m.size(1), m.to_vector<double>()}; }

// A score that was computed for every subset.
SubsetScore looked_up(const Tensor& scores) {
  return [scores](const Tensor& keep) {
    std::vector<int64_t> entries;
    const std::vector<bool> kept = keep.to_vector<bool>();
    const int64_t n = keep.size(1);
    for (int64_t row = 0; row < keep.size(0); ++row) {
      int64_t& entry = entries.emplace_back(0);
      for (int64_t i = 0; i < n; ++i)
        if (kept[static_cast<size_t>(row * n + i)]) entry |= int64_t{1} << i;
    }
    return index_select(scores, 0, from_vector(entries, {std::ssize(entries)}));
  };
}

void add_to(HeadTable::Layers& sums, size_t layer, const std::vector<double>& values) {
  if (sums.size() <= layer) sums.emplace_back(values.size(), 0.);
  for (size_t h = 0; h < values.size(); ++h) sums[layer][h] += values[h];
}

}  // namespace

Tensor by_source_token(const Tensor& map) { return sum(mean(map, {0}), {0}); }

AlignmentCounts& AgreementTable::counts(const std::string& measure, Index layer, Index head,
                                        ReadAt step) {
  for (Row& row : rows_)
    if (row.measure == measure && row.layer == layer && row.head == head && row.step == step)
      return row.counts;
  return rows_.emplace_back(Row{measure, layer, head, step, {}}).counts;
}

void AgreementTable::add(const Study& study, std::span<const Measured> taken,
                         std::span<const Link> gold) {
  const NoGrad no_grad;
  for (const Measured& found : taken) {
    const Measure& m = *found.measure;
    const Maps* cross = found.at(Place::cross);
    for (size_t l = 0; cross && l < cross->layers.size(); ++l) {
      const Tensor& heads = cross->layers[l];
      const Index layer = m.per_layer ? Index(l) : Index();
      const auto add_map = [&](const Tensor& map, Index head) {
        for (const ReadAt step : {ReadAt::kConsumingStep, ReadAt::kProducingStep})
          counts(m.name, layer, head, step)
              .add(strongest_links(to_map(map), study.units(), study.rows() - 1, step), gold, gold);
      };
      add_map(mean(heads, {0}), {});
      for (int64_t h = 0; heads.size(0) > 1 && h < heads.size(0); ++h)
        add_map(select(heads, 0, h), h);
    }
  }
}

void AgreementTable::add(const AgreementTable& next) {
  for (const Row& r : next.rows_) counts(r.measure, r.layer, r.head, r.step).add(r.counts);
}

// What rows of one sentence share.
struct FaithfulnessTable::Game {
  int64_t units;
  Tensor scores, shapley;  // [2^units], [units]
  AopcLimits limits;
};

void FaithfulnessTable::add(const Study& study, std::span<const Measured> taken) {
  if (study.units() < 2 || study.units() > kMostShapleyUnits) return;
  const NoGrad no_grad;
  const Tensor& scores = study.all_subsets();
  if (!all_finite(scores)) return;
  const Game game{study.units(), scores, shapley_values(scores), aopc_limits(scores)};
  for (const Measured& found : taken) {
    const Measure& m = *found.measure;
    const Maps* cross = found.at(Place::cross);
    for (size_t l = 0; cross && l < cross->layers.size(); ++l)
      add_row(m.name, m.per_layer ? Index(l) : Index(), by_source_token(cross->layers[l]), game);
    for (const TokenNumbers& tokens : found.tokens)
      if (tokens.side == Place::encoder) add_row(m.name, {}, tokens.values, game);
  }
}

FaithfulnessTable::Row& FaithfulnessTable::row(const std::string& measure, Index layer) {
  for (Row& r : rows_)
    if (r.measure == measure && r.layer == layer) return r;
  return rows_.emplace_back(Row{measure, layer});
}

void FaithfulnessTable::add(const FaithfulnessTable& next) {
  for (const Row& r : next.rows_) {
    Row& sum = row(r.measure, r.layer);
    for (size_t i = 0; i < kNumbers; ++i) {
      sum.sums[i] += r.sums[i];
      sum.counts[i] += r.counts[i];
    }
  }
}

void FaithfulnessTable::add_row(const std::string& measure, Index layer, const Tensor& values,
                                const Game& game) {
  const int64_t n = game.units, third = (n + 2) / 3;
  const Tensor& scores = game.scores;
  const Tensor by_unit = to(slice(values, 0, 0, n), kFloat64);
  if (!all_finite(by_unit)) return;
  const std::vector<int64_t> order = descending(by_unit);
  const SubsetScore score = looked_up(scores);
  const double lower = game.limits.lower, upper = game.limits.upper, area = aopc(scores, order);
  const double rate = static_cast<double>(third) / static_cast<double>(n);
  const std::array<double, kNumbers> numbers{comprehensiveness(score, order, {third}).item(),
                                             sufficiency(score, order, {third}).item(),
                                             soft_comprehensiveness(scores, by_unit, rate),
                                             soft_sufficiency(scores, by_unit, rate),
                                             area,
                                             (area - lower) / (upper - lower),
                                             spearman(by_unit, game.shapley)};
  Row& sum = row(measure, layer);
  for (size_t i = 0; i < kNumbers; ++i) {
    if (!std::isfinite(numbers[i])) continue;
    sum.sums[i] += numbers[i];
    ++sum.counts[i];
  }
}

void HeadTable::add(const Study& study) {
  const NoGrad no_grad;
  ++studies_;
  for (const auto& [place, list] : {std::pair{Place::encoder, &AttentionTrace::encoder},
                                    {Place::decoder, &AttentionTrace::decoder},
                                    {Place::cross, &AttentionTrace::cross}}) {
    const Tensors& layers = study.trace.*list;
    for (size_t l = 0; l < layers.size(); ++l) {
      const Tensor& a = layers[l];  // [1, H, Tq, Tk]
      auto& sums = sums_[place];
      const auto add = [&](Number number, const Tensor& by_head) {
        add_to(sums[number], l, by_head.to_vector<double>());
      };
      add(kImportance, head_importance(a, (study.gradients.*list)[l]));
      add(kEntropy, mean(entropy(a), {0, 2}));
      add(kDistance, mean(expected_distance(a), {0, 2}));
    }
  }
}

void HeadTable::add(const HeadTable& next) {
  studies_ += next.studies_;
  for (const auto& [place, numbers] : next.sums_)
    for (size_t number = 0; number < kNumbers; ++number)
      for (size_t l = 0; l < numbers[number].size(); ++l)
        add_to(sums_[place][number], l, numbers[number][l]);
}

std::vector<Place> HeadTable::places() const {
  std::vector<Place> places;
  for (const auto& entry : sums_) places.push_back(entry.first);
  return places;
}

HeadTable::Layers HeadTable::average(Place place, Number number) const {
  Layers means = sums_.at(place)[number];
  for (auto& heads : means)
    for (double& value : heads) value /= static_cast<double>(studies_);
  return means;
}

}  // namespace weft
