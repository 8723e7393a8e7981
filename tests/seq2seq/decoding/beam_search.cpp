// Beam search on a model whose probabilities are written down.
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/table_model.h>

#include <algorithm>
#include <limits>
#include <tuple>

using namespace weft;

namespace {

Ids search(const Table& table, const BeamOptions& options) {
  return decode_one(table, BeamSearch(options))[0].ids;
}

}  // namespace

TEST_CASE("an end takes none of the places of unfinished beginnings") {
  // With log-probabilities over ((5 + length) / 6): nothing -1.079, a -1.6 at best, b -1.033.
  const Table table{{{}, {{kEnd, 0.34}, {kA, 0.36}, {kB, 0.30}}},
                    {{kA}, {{kEnd, 0.4}, {kA, 0.3}, {kB, 0.3}}},
                    {{kB}, {{kEnd, 0.999}}}};
  CHECK(search(table, {.beam = 2}) == Ids{kB});
}

TEST_CASE("a beam of one is greedy search") {
  const Table table{{{}, {{kA, 0.5}, {kB, 0.4}, {kEnd, 0.1}}},
                    {{kA}, {{kB, 0.6}, {kEnd, 0.4}}},
                    {{kB}, {{kEnd, 0.999}}},
                    {{kA, kB}, {{kEnd, 0.9}}}};
  CHECK(search(table, {.beam = 1}) == Ids{kA, kB});
  const Table ends_at_once{{{}, {{kEnd, 0.6}, {kA, 0.4}}}};
  CHECK(search(ends_at_once, {.beam = 1}).empty());
}

TEST_CASE("the length penalty decides between short and long") {
  const Table table{{{}, {{kEnd, 0.3}, {kA, 0.4}, {kB, 0.3}}},
                    {{kA}, {{kEnd, 0.5}, {kA, 0.25}, {kB, 0.25}}},
                    {{kB}, {{kEnd, 0.5}, {kA, 0.25}, {kB, 0.25}}}};
  CHECK(search(table, {.beam = 2, .length_penalty = 0}).empty());  // 0.3 > 0.2
  CHECK(search(table, {.beam = 2, .length_penalty = 4}) == Ids{kA});
}

TEST_CASE("a beam as wide as there are translations finds the best, in order") {
  // 15 translations of at most 3 ids. None is pruned: a beam of 32 holds all beginnings.
  constexpr size_t kLongest = 3;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Table table = random_table(seed, kLongest);
    const BeamSearch strategy({.beam = 15, .length_penalty = 0.6});
    const std::vector<Hypothesis> want = all_translations(table, kLongest, strategy),
                                  got = decode_one(table, strategy);
    REQUIRE(want.size() == 15);
    REQUIRE(got.size() == 15);
    for (size_t i = 0; i < want.size(); ++i) {
      CAPTURE(seed, i);
      CHECK(got[i].ids == want[i].ids);
      CHECK(got[i].score == want[i].score);
      CHECK(got[i].log_prob == want[i].log_prob);
      CHECK(got[i].ended);
    }
  }
}

TEST_CASE("of many ids the likeliest go on, the smallest of equals first") {
  constexpr int64_t kMany = 1500, kRows = 3, kBeam = 5;
  for (const int64_t values : {3, 40, 100000}) {  // few of them: many are equal
    Generator random(static_cast<uint64_t>(values));
    std::vector<float> log_probs;
    for (int64_t i = 0; i < kRows * kMany; ++i)
      log_probs.push_back(i % kMany == kEnd ? -1e3f
                                            : -0.25f * static_cast<float>(random.below(values)));
    std::vector<Hypothesis> live(kRows);
    for (size_t row = 0; row < live.size(); ++row)
      live[row].log_prob = -0.25 * static_cast<double>(row);
    struct Found {
      double sum;
      int64_t id, from;
    };
    std::vector<Found> all;
    for (int64_t row = 0; row < kRows; ++row)
      for (int64_t id = kEnd + 1; id < kMany; ++id)
        all.push_back({live[static_cast<size_t>(row)].log_prob +
                           static_cast<double>(log_probs[static_cast<size_t>(row * kMany + id)]),
                       id, row});
    std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
      return std::tuple(-a.sum, a.id, a.from) < std::tuple(-b.sum, b.id, b.from);
    });
    const std::vector<Choice> chosen =
        BeamSearch({.beam = kBeam})
            .choose({.live = live, .finished = {}, .log_probs = log_probs, .longest = 9});
    REQUIRE(std::ssize(chosen) == kBeam);
    for (size_t i = 0; i < chosen.size(); ++i) {
      CHECK(chosen[i].id == all[i].id);
      CHECK(static_cast<int64_t>(chosen[i].from) == all[i].from);
    }
  }
}

TEST_CASE("an n-best list holds as many as the beam is wide, sorted by score") {
  const Table table = random_table(3, 3);
  for (const int64_t beam : {1, 2, 5}) {
    const std::vector<Hypothesis> found = decode_one(table, BeamSearch({.beam = beam}));
    REQUIRE(std::ssize(found) == beam);
    for (size_t i = 0; i < found.size(); ++i) {
      double sum = 0;
      for (const float p : found[i].token_log_probs) sum += static_cast<double>(p);
      CHECK(found[i].log_prob == sum);
      CHECK(found[i].token_log_probs.size() == found[i].ids.size() + 1);
      if (i > 0) CHECK(found[i].score <= found[i - 1].score);
    }
  }
}

TEST_CASE("what never ends is cut off, and comes after what ended") {
  Table table;
  for (Ids ids; ids.size() < 64; ids.push_back(kA))  // the longest for a source of two
    table[ids] = {{kEnd, ids.size() == 1 ? 1e-4 : 1e-30}, {kA, 0.9998}, {kB, 1e-30}};
  const std::vector<Hypothesis> greedy = decode_one(table, BeamSearch());
  REQUIRE(greedy.size() == 1);
  CHECK(greedy[0].ids == Ids(64, kA));
  CHECK_FALSE(greedy[0].ended);
  CHECK(greedy[0].token_log_probs.size() == 64);
}

TEST_CASE("beam search says what is wrong with its options") {
  CHECK(message_of([] { BeamSearch({.beam = 0}); }) ==
        "decode: the beam must be at least 1; got 0");
  CHECK(message_of([] {
          BeamSearch({.length_penalty = std::numeric_limits<double>::infinity()});
        }) == "decode: length_penalty must be finite; got inf");
}
