#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/decoding/source_words.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/small_model.h>

#include <algorithm>

using namespace weft;
using Lines = std::vector<std::string>;

TEST_CASE("which word an id is a part of") {
  const Lines text{"ab abc", "ab", "abc ab ab", "abc abc"};
  const auto words = word_vocabulary(text);
  CHECK(words_of(*words, words->encode("ab x abc")) == Ids{0, 1, 2});
  const auto characters = character_vocabulary(text);
  CHECK(words_of(*characters, characters->encode("ab  abc ")) == Ids{0, 0, -1, -1, 1, 1, 1, -1});
  const auto subwords = train_subwords(text, 9);
  const Ids ids = subwords->encode("ab abc cab");
  const Ids found = words_of(*subwords, ids);
  Lines pieces(3);
  for (size_t i = 0; i < ids.size(); ++i)
    if (found[i] >= 0) pieces.at(static_cast<size_t>(found[i])) += subwords->piece(ids[i]);
  for (std::string& word : pieces)
    if (word.starts_with("\u2581")) word = word.substr(3);
  CHECK(pieces == Lines{"ab", "abc", "cab"});
  CHECK(words_of(*words, {}).empty());
}

TEST_CASE("links are written source-target") {
  CHECK(to_pharaoh({{0, 0}, {12, 3}}) == "0-0 12-3");
  CHECK(to_pharaoh({}).empty());
}

TEST_CASE("the coverage penalty is Wu's, without the end of the source") {
  const AttentionMap map{2, 3, {0.5, 0.25, 0.25, 0.75, 0.125, 0.125}};
  CHECK(coverage_penalty(map) == Approx(std::log(0.375)));  // 1.25 counts as 1
  const AttentionMap none{1, 2, {0, 1}};
  CHECK(std::isfinite(coverage_penalty(none)));
  CHECK(coverage_penalty(none) < -80);
}

TEST_CASE("attention is the mean over the heads of the last layer but one") {
  const auto model = small_model(40, 16);  // two layers, four heads
  const Ids source{5, 6, 7, kEnd}, target{8, 9};
  const AttentionMap mean = mean_attention(*model, source, target);
  CHECK((mean.rows == 3 && mean.columns == 4));
  const auto heads = cross_attention(*model, source, {kBegin, 8, 9, kEnd})[0];
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t i = 0; i < 4; ++i) {
      double sum = 0;
      for (const AttentionMap& head : heads) sum += head.at(t, i);
      CHECK(mean.at(t, i) == Approx(sum / 4));
    }
}

TEST_CASE("words are linked where attention is strongest") {
  const Lines text{"a b c d e f g h"};
  const auto vocabulary = word_vocabulary(text);
  const auto model = small_model(vocabulary->size(), 16);
  const Ids source = encode_source(*vocabulary, "a c e"), target = vocabulary->encode("h g");
  const AttentionMap map = mean_attention(*model, source, target);
  std::vector<Link> want;
  for (int64_t t = 0; t < 2; ++t) {
    const auto row = map.weights.begin() + t * map.columns;
    want.push_back({std::max_element(row, row + 3) - row, t});
  }
  std::sort(want.begin(), want.end());
  CHECK(word_links(*model, *vocabulary, source, target) == want);
  CHECK(word_links(*model, *vocabulary, source, {}).empty());
}

TEST_CASE("hypotheses are ranked by coverage too") {
  const auto model = small_model(40, 16);
  const Ids source{5, 6, 7, 8, kEnd};
  const auto found = decode(*model, std::vector<Ids>{source}, BeamSearch({.beam = 5}))[0];
  auto ranked = found;
  rank_by_coverage(*model, source, 2, ranked);
  for (const Hypothesis& h : found) {
    const auto same = std::find_if(ranked.begin(), ranked.end(),
                                   [&](const Hypothesis& r) { return r.ids == h.ids; });
    REQUIRE(same != ranked.end());
    CHECK(same->score ==
          Approx(h.score + 2 * coverage_penalty(mean_attention(*model, source, h.ids))));
  }
  CHECK(std::is_sorted(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.ended != b.ended ? a.ended : a.score > b.score;
  }));
}
