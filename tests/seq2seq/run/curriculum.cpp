#include <weft/seq2seq/run/curriculum_kind.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/tests/catch.h>

#include <cmath>

using namespace weft;

namespace {

// Pairs whose longer sides have these lengths, by turns source and target.
std::vector<Pair> pairs_of(const std::vector<size_t>& lengths) {
  std::vector<Pair> pairs;
  for (const size_t n : lengths)
    pairs.push_back(pairs.size() % 2 == 0 ? Pair{Ids(n, 5), Ids(2, 5)}
                                          : Pair{Ids(2, 5), Ids(n, 5)});
  return pairs;
}

}  // namespace

TEST_CASE("curriculum: short-first admits pairs by their longer side, equal ones in order") {
  const std::vector<Pair> pairs = pairs_of({5, 9, 3, 5, 4, 3});
  const Curriculum curriculum = short_first(100);
  CHECK(curriculum(pairs, 0) == std::vector<int64_t>{2});
  CHECK(curriculum(pairs, 25) == std::vector<int64_t>{2, 5, 4, 0});  // 6 times 0.50007: more than 3
  CHECK(curriculum(pairs, 24) == std::vector<int64_t>{2, 5, 4});
  CHECK(curriculum(pairs, 100) == std::vector<int64_t>{2, 5, 4, 0, 3, 1});
  CHECK(curriculum(pairs, 1'000'000) == curriculum(pairs, 100));
}

TEST_CASE("curriculum: competence is that of Platanios et al.") {
  const std::vector<Pair> pairs(10000, Pair{{5}, {5}});
  const Curriculum curriculum = short_first(1000);
  for (const int64_t step : {0, 1, 10, 500, 999}) {
    const double share = std::sqrt(static_cast<double>(step) * (1 - 1e-4) / 1000 + 1e-4);
    CHECK(static_cast<double>(curriculum(pairs, step).size()) == Approx(1e4 * share).margin(1));
  }
}

TEST_CASE("curriculum: what does not suit it is an error") {
  CHECK(message_of([] { short_first(0); }) == "curriculum: steps must be positive; got 0");
  TrainConfig config;
  const CurriculumKind& kind = find_named(builtin_curricula(), "short-first", "curriculum");
  CHECK(kind.make(config));
  config.epochs = 3;
  CHECK(message_of([&] { kind.make(config); }) ==
        "curriculum: the passes of short-first are of any size, and --epochs would count them; "
        "limit --steps or --minutes instead; got --epochs 3");
  CHECK_FALSE(find_named(builtin_curricula(), "none", "curriculum").make(config));
}
