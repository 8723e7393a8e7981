#include <weft/core/detail/check.h>
#include <weft/seq2seq/run/curriculum_kind.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft {
namespace {

constexpr double kFirstCompetence = 0.01;

double competence(int64_t step, int64_t steps) {
  constexpr double kFirst = kFirstCompetence * kFirstCompetence;
  const double done = static_cast<double>(step) / static_cast<double>(steps);
  return done < 1 ? std::sqrt(done * (1 - kFirst) + kFirst) : 1;
}

Curriculum make_none(const TrainConfig&) { return {}; }

Curriculum make_short_first(const TrainConfig& c) {
  check(c.epochs == 0,
        "curriculum: the passes of short-first are of any size, and --epochs would count them; "
        "limit --steps or --minutes instead; got --epochs {}",
        c.epochs.value());
  return short_first(c.curriculum_steps);
}

}  // namespace

Curriculum short_first(int64_t steps) {
  check(steps > 0, "curriculum: steps must be positive; got {}", steps);
  return [steps](std::span<const Pair> pairs, int64_t step) {
    std::vector<int64_t> places(pairs.size());
    std::iota(places.begin(), places.end(), 0);
    const auto length = [&](int64_t place) {
      const Pair& pair = pairs[static_cast<size_t>(place)];
      return std::max(pair.source.size(), pair.target.size());
    };
    std::stable_sort(places.begin(), places.end(),
                     [&](int64_t a, int64_t b) { return length(a) < length(b); });
    const double share = competence(step, steps) * static_cast<double>(places.size());
    places.resize(std::min(places.size(), static_cast<size_t>(std::max(1.0, std::ceil(share)))));
    return places;
  };
}

const std::vector<CurriculumKind>& builtin_curricula() {
  static const std::vector<CurriculumKind> kinds{
      {"none", "all pairs in every pass", make_none},
      {"short-first",
       "short pairs first, all of them at --curriculum-steps",
       make_short_first,
       {{"validate-every", "500"}}}};
  return kinds;
}

}  // namespace weft
