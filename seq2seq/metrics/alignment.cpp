// The alignment error rate.
#include <weft/core/detail/check.h>
#include <weft/seq2seq/metrics/alignment.h>

#include <algorithm>
#include <set>

namespace weft {
namespace {

int64_t count_common(const std::set<Link>& a, const std::set<Link>& b) {
  return std::count_if(a.begin(), a.end(), [&](const Link& link) { return b.contains(link); });
}

}  // namespace

std::vector<Link> strongest_links(const AttentionMap& map, int64_t source_words,
                                  int64_t target_words, ReadAt step) {
  const int64_t offset = static_cast<int64_t>(step);
  check(source_words >= 1 && map.columns >= source_words && map.rows >= target_words + offset,
        "strongest_links: attention must cover {} source words and steps {} to {}; got [{}, {}]",
        source_words, offset, target_words + offset - 1, map.rows, map.columns);
  std::vector<Link> links;
  for (int64_t t = 0; t < target_words; ++t) {
    const double* row = map.weights.data() + (t + offset) * map.columns;
    links.push_back({std::max_element(row, row + source_words) - row, t});
  }
  return links;
}

void AlignmentCounts::add(std::span<const Link> found_links, std::span<const Link> sure_links,
                          std::span<const Link> possible_links) {
  const std::set<Link> found_set(found_links.begin(), found_links.end());
  const std::set<Link> sure_set(sure_links.begin(), sure_links.end());
  std::set<Link> possible_set(possible_links.begin(), possible_links.end());
  possible_set.insert(sure_links.begin(), sure_links.end());
  found += std::ssize(found_set);
  sure += std::ssize(sure_set);
  found_sure += count_common(found_set, sure_set);
  found_possible += count_common(found_set, possible_set);
}

void AlignmentCounts::add(const AlignmentCounts& more) {
  found += more.found;
  sure += more.sure;
  found_sure += more.found_sure;
  found_possible += more.found_possible;
}

double AlignmentCounts::error_rate() const {
  if (found + sure == 0) return 0;
  return 1 - static_cast<double>(found_sure + found_possible) / static_cast<double>(found + sure);
}

void AlignmentScores::add(const AttentionMaps& maps, int64_t source_words, int64_t target_words,
                          std::span<const Link> gold) {
  if (counts_.empty()) {
    for (const auto& heads : maps) counts_.emplace_back(heads.size());
  }
  check(maps.size() == counts_.size(), "AlignmentScores: expected {} layers; got {}",
        counts_.size(), maps.size());
  for (size_t layer = 0; layer < maps.size(); ++layer) {
    check(maps[layer].size() == counts_[layer].size(),
          "AlignmentScores: expected {} heads in layer {}; got {}", counts_[layer].size(), layer,
          maps[layer].size());
    for (size_t head = 0; head < maps[layer].size(); ++head) {
      const auto links = strongest_links(maps[layer][head], source_words, target_words, step_);
      counts_[layer][head].add(links, gold, gold);
    }
  }
}

AlignmentScores::Head AlignmentScores::best() const {
  check(!counts_.empty(), "AlignmentScores: expected at least one sentence; got none");
  Head best{-1, -1, 2};
  const auto rates = error_rates();
  for (size_t layer = 0; layer < rates.size(); ++layer) {
    for (size_t head = 0; head < rates[layer].size(); ++head) {
      if (rates[layer][head] >= best.error_rate) continue;
      best = {static_cast<int64_t>(layer), static_cast<int64_t>(head), rates[layer][head]};
    }
  }
  return best;
}

std::vector<std::vector<double>> AlignmentScores::error_rates() const {
  std::vector<std::vector<double>> rates;
  for (const auto& heads : counts_) {
    rates.emplace_back();
    for (const AlignmentCounts& counts : heads) rates.back().push_back(counts.error_rate());
  }
  return rates;
}

}  // namespace weft
