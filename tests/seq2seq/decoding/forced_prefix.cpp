// Given beginnings, against all translations that begin so.
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/decoding/forced_prefix.h>
#include <weft/seq2seq/decoding/sampling.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/small_model.h>
#include <weft/tests/seq2seq/decoding/table_model.h>

using namespace weft;

TEST_CASE("beam search after a prefix finds the best translations that begin with it") {
  constexpr size_t kLongest = 3;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Table table = random_table(seed, kLongest);
    const BeamSearch beam({.beam = 7, .length_penalty = 0.6});  // as many as begin with B
    std::vector<Hypothesis> want = all_translations(table, kLongest, beam);
    std::erase_if(want, [](const Hypothesis& h) { return h.ids.empty() || h.ids[0] != kB; });
    const auto got = decode_one(table, ForcedPrefix(beam, {{0, {kB}}}));
    REQUIRE(want.size() == 7);
    REQUIRE(got.size() == 7);
    for (size_t i = 0; i < want.size(); ++i) {
      CAPTURE(seed, i);
      CHECK(got[i].ids == want[i].ids);
      CHECK(got[i].score == want[i].score);
      CHECK(got[i].log_prob == want[i].log_prob);
    }
  }
}

TEST_CASE("samples after a prefix come as often as the model says") {
  constexpr int64_t kSamples = 4000;
  const Table table{{{}, {{kEnd, 0.2}, {kA, 0.5}, {kB, 0.3}}},
                    {{kA}, {{kEnd, 0.3}, {kA, 0.6}, {kB, 0.1}}},
                    {{kA, kA}, {{kEnd, 1 - 1e-9}}},
                    {{kA, kB}, {{kEnd, 1 - 1e-9}}}};
  const Sampling sampling({.seed = 2, .samples = kSamples});
  std::map<Ids, double> got;
  for (const Hypothesis& h : decode_one(table, ForcedPrefix(sampling, {{0, {kA}}}))) ++got[h.ids];
  double chi_square = 0;
  for (const auto& [ids, p] : std::map<Ids, double>{{{kA}, .3}, {{kA, kA}, .6}, {{kA, kB}, .1}})
    chi_square += std::pow(got[ids] - p * kSamples, 2) / (p * kSamples);
  CHECK(got.size() == 3);
  CHECK(chi_square < 13.82);  // 2 degrees: 1 in 1000
}

TEST_CASE("a prefix is that of its sentence, and may be longer than any translation") {
  const auto model = small_model(40, 16);
  Generator random(3);
  const std::vector<Ids> sources{random_source(random, 2, 40), random_source(random, 2, 40)};
  const BeamSearch beam({.beam = 2});
  const auto free = decode(*model, sources, beam);
  const Ids prefix(30, 9);  // without it, 16 ids at most
  const auto forced = decode(*model, sources, ForcedPrefix(beam, {{1, prefix}}));
  for (size_t i = 0; i < 2; ++i) {
    CHECK(forced[0][i].ids == free[0][i].ids);
    CHECK(forced[0][i].log_prob == free[0][i].log_prob);
    CHECK(Ids(forced[1][i].ids.begin(), forced[1][i].ids.begin() + 30) == prefix);
  }
  const auto numbered = decode(*model, sources, ForcedPrefix(beam, {{7, {8}}}), Ids{6, 7});
  CHECK(numbered[0][0].ids == free[0][0].ids);
  CHECK(numbered[1][0].ids[0] == 8);
}

TEST_CASE("a forced prefix says what is wrong with it") {
  const BeamSearch greedy;
  CHECK(message_of([&] {
          ForcedPrefix(greedy, {{2, {kA, kEnd}}});
        }) ==
        "decode: a prefix must be of words, without begin, end and padding; got id 3 for sentence "
        "2");
  CHECK(message_of([&] {
          decode_one({{{}, {{kEnd, 0.5}}}}, ForcedPrefix(greedy, {{0, {99}}}));
        }) ==
        "decode: a choice must have from in [0, 1) and id in [0, 6); got 0 and 99 for sentence 0");
}
