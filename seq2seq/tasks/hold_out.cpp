#include <weft/core/detail/check.h>
#include <weft/core/random.h>
#include <weft/seq2seq/tasks/hold_out.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace weft {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kOneIn = 20, kMostPairs = 1000;

// Different sources, as they first occur, and how many pairs each has.
struct Sources {
  std::vector<std::string_view> all;
  std::unordered_map<std::string_view, int64_t> pairs;

  explicit Sources(const std::vector<std::string>& sources) {
    for (const std::string& source : sources)
      if (pairs[source]++ == 0) all.push_back(source);
  }

  int64_t fewest_pairs() const {
    int64_t fewest = pairs.at(all[0]);
    for (const std::string_view source : all) fewest = std::min(fewest, pairs.at(source));
    return fewest;
  }
};

std::unordered_set<std::string_view> draw(Sources sources, int64_t pairs) {
  std::unordered_set<std::string_view> drawn;
  Generator random(kSeed);
  for (auto& left = sources.all; !left.empty() && pairs > 0; left.pop_back()) {
    std::swap(left[static_cast<size_t>(random.below(std::ssize(left)))], left.back());
    const int64_t count = sources.pairs.at(left.back());
    if (count > pairs) continue;
    drawn.insert(left.back());
    pairs -= count;
  }
  return drawn;
}

}  // namespace

ParallelText hold_out(ParallelText& text) {
  const Sources sources(text.source);
  check(sources.all.size() > 1,
        "hold_out: needs two different sources, one to train on and one to validate on; got {}",
        sources.all.size());
  const int64_t pairs = std::clamp<int64_t>(std::ssize(text.source) / kOneIn, 1, kMostPairs);
  const auto drawn = draw(sources, std::max(pairs, sources.fewest_pairs()));
  ParallelText kept, held;
  for (size_t i = 0; i < text.source.size(); ++i) {  // copies: `drawn` looks into the text
    ParallelText& side = drawn.contains(text.source[i]) ? held : kept;
    side.source.push_back(text.source[i]);
    side.target.push_back(text.target[i]);
  }
  text = std::move(kept);
  return held;
}

}  // namespace weft
