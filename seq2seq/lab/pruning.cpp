#include <weft/autograd/graph/grad_mode.h>
#include <weft/core/detail/check.h>
#include <weft/core/random.h>
#include <weft/nn/inspect/detail/scoped_hooks.h>
#include <weft/nn/inspect/head_importance.h>
#include <weft/seq2seq/lab/pruning.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace weft {
namespace {

double value_without(std::span<const Head> removed, const std::function<double()>& value) {
  std::map<MultiheadAttention*, std::vector<float>> masks;
  for (const Head& head : removed) {
    std::vector<float>& mask = masks[head.attention];
    mask.resize(static_cast<size_t>(head.attention->options().num_heads), 1);
    mask[static_cast<size_t>(head.number)] = 0;
  }
  detail::ScopedHooks hooks;
  for (const auto& [attention, mask] : masks)
    hooks.add(mask_heads(*attention, from_vector(mask, {std::ssize(mask)})));
  return value();
}

}  // namespace

std::vector<Head> heads_of(const Study& study, const HeadTable& table) {
  std::vector<Head> heads;
  for (const auto& [place, list] : {std::pair{Place::encoder, &AttentionTrace::encoder},
                                    {Place::decoder, &AttentionTrace::decoder},
                                    {Place::cross, &AttentionTrace::cross}})
    for (size_t l = 0; l < (study.trace.*list).size(); ++l) {
      MultiheadAttention* attention = study.layer_of((study.trace.*list)[l]).attention;
      const std::vector<double> importance = table.average(place, HeadTable::kImportance)[l];
      for (size_t h = 0; attention && h < importance.size(); ++h)
        heads.push_back({attention, static_cast<int64_t>(h), importance[h]});
    }
  return heads;
}

void sort_by_importance(std::vector<Head>& heads) {
  std::stable_sort(heads.begin(), heads.end(),
                   [](const Head& a, const Head& b) { return a.importance < b.importance; });
}

void shuffle(std::vector<Head>& heads, Generator& generator) {
  for (size_t i = heads.size(); i > 1; --i)
    std::swap(heads[i - 1], heads[static_cast<size_t>(generator.below(static_cast<int64_t>(i)))]);
}

std::vector<PruningCurve::Point> take_out(std::span<const Head> heads, int64_t points,
                                          const std::function<double()>& value,
                                          const ShareOut& share) {
  check(points >= 1, "take_out: points must be positive; got {}", points);
  const size_t n = heads.size(), step = std::max<size_t>(1, n / static_cast<size_t>(points));
  std::vector<std::span<const Head>> removed;
  for (size_t gone = 0; gone < n + step; gone += step)
    removed.push_back(heads.first(std::min(gone, n)));
  const std::vector<double> values = share_numbers(share, std::ssize(removed), [&](int64_t i) {
    return value_without(removed[static_cast<size_t>(i)], value);
  });
  std::vector<PruningCurve::Point> found;
  for (size_t i = 0; i < removed.size(); ++i)
    found.push_back({static_cast<int64_t>(n - removed[i].size()), values[i]});
  return found;
}

PruningScore log_probability(Seq2SeqModel& model, std::span<const Pair> pairs) {
  check(!pairs.empty(), "log_probability: needs at least one pair");
  Batch all(pairs.size());
  std::iota(all.begin(), all.end(), 0);
  const auto value = [&model, sources = pad_ids(pairs, all, &Pair::source),
                      targets = pad_ids(pairs, all, &Pair::target)] {
    const NoGrad no_grad;
    return -model.loss(sources, targets, 0).item();
  };
  return {"log-probability per token", value};
}

std::vector<PruningCurve> prune(const Study& study, const HeadTable& table, PruningOrder order,
                                std::span<const PruningScore> scores, int64_t points,
                                const ShareOut& share) {
  std::vector<Head> heads = heads_of(study, table);
  if (heads.empty()) return {};
  sort_by_importance(heads);
  const bool at_random = order == PruningOrder::random;
  Generator generator(1);
  if (at_random) shuffle(heads, generator);
  std::vector<PruningCurve> curves;
  for (const PruningScore& score : scores)
    curves.push_back({at_random ? "random" : "importance", score.metric,
                      take_out(heads, points, score.value, share)});
  return curves;
}

}  // namespace weft
