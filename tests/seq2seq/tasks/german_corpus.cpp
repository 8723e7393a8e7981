// What must hold of the whole toy corpus: one translation a source, disjoint splits, full
// alignment.
#include <weft/core/parallel.h>
#include <weft/seq2seq/tasks/german/grammar.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <map>
#include <set>

using namespace weft;

namespace {

const ToyCorpus& corpus() {
  static const ToyCorpus made = make_toy_corpus(1);
  return made;
}

std::vector<const SentencePair*> all_pairs() {
  std::vector<const SentencePair*> all;
  for (const auto* split :
       {&corpus().train, &corpus().valid, &corpus().test, &corpus().compositional}) {
    for (const auto& pair : *split) all.push_back(&pair);
  }
  return all;
}

bool is_held_out(const Use& use) {
  const auto& held = held_out_uses();
  return std::find(held.begin(), held.end(), use) != held.end();
}

}  // namespace

TEST_CASE("toy corpus: the same seed gives the same corpus") {
  const ToySizes sizes{200, 20, 20, 20};
  const auto a = make_toy_corpus(7, sizes), b = make_toy_corpus(7, sizes);
  const auto c = make_toy_corpus(8, sizes);
  REQUIRE(a.train.size() == 200);
  REQUIRE(a.compositional.size() == 20);
  bool differs = false;
  for (size_t i = 0; i < 200; ++i) {
    CHECK(a.train[i].source == b.train[i].source);
    CHECK(a.train[i].target == b.train[i].target);
    CHECK(a.train[i].alignment == b.train[i].alignment);
    differs |= a.train[i].source != c.train[i].source;
  }
  CHECK(differs);
  CHECK(message_of([] {
          make_toy_corpus(1, {-1, 0, 0, 0});
        }) == "make_toy_corpus: sizes must not be negative; got -1");
}

TEST_CASE("toy corpus: the same corpus at any number of threads") {
  const int before = weft::num_threads();
  std::string corpora[3];
  for (int threads = 1; threads <= 3; ++threads) {
    weft::set_num_threads(threads);
    for (const auto& pair : make_toy_corpus(7, {200, 20, 20, 20}).train)
      corpora[threads - 1] += pair.source + "\n" + pair.target + "\n";
  }
  weft::set_num_threads(before);
  CHECK(corpora[0] == corpora[1]);
  CHECK(corpora[0] == corpora[2]);
}

TEST_CASE("toy corpus: a source has exactly one translation") {
  std::map<std::string, std::string> translations;
  int repeated = 0, contradictions = 0;
  for (uint64_t i = 0; i < 60000; ++i) {
    const SentencePair pair = sample_pair(3, i);
    const auto [known, fresh] = translations.emplace(pair.source, pair.target);
    repeated += !fresh;
    contradictions += known->second != pair.target;
  }
  CHECK(repeated > 1000);  // else the test would say nothing
  CHECK(contradictions == 0);
}

TEST_CASE("toy corpus: 150 words a side, and training knows every word of the other splits") {
  std::set<std::string_view> source, target;
  for (const auto& pair : corpus().train) {
    for (const auto word : split_words(pair.source)) source.insert(word);
    for (const auto word : split_words(pair.target)) target.insert(word);
  }
  CHECK(source.size() >= 150);
  CHECK(target.size() >= 150);
  for (const auto* split : {&corpus().valid, &corpus().test, &corpus().compositional}) {
    CHECK(split->size() == 1000);
    for (const auto& pair : *split) {
      for (const auto word : split_words(pair.source)) CHECK(source.count(word) == 1);
      for (const auto word : split_words(pair.target)) CHECK(target.count(word) == 1);
    }
  }
}

TEST_CASE("toy corpus: no sentence occurs twice, in one split or in two") {
  std::set<std::string> sources;
  for (const auto* pair : all_pairs()) sources.insert(pair->source);
  CHECK(sources.size() == all_pairs().size());
}

TEST_CASE("toy corpus: every word but a few is aligned, and word order differs") {
  size_t links = 0, crossing = 0;
  for (const auto* pair : all_pairs()) {
    std::set<int64_t> source, target;
    for (const auto& [i, j] : pair->alignment) {
      source.insert(i);
      target.insert(j);
    }
    REQUIRE(source.size() == split_words(pair->source).size());
    REQUIRE(target.size() == split_words(pair->target).size());
    REQUIRE((*source.begin() == 0 && *target.begin() == 0));
    REQUIRE(*source.rbegin() == std::ssize(source) - 1);
    REQUIRE(*target.rbegin() == std::ssize(target) - 1);
    for (const auto& a : pair->alignment) {
      ++links;
      crossing += std::any_of(pair->alignment.begin(), pair->alignment.end(), [&](const auto& b) {
        return (a.source < b.source) != (a.target < b.target) && a.source != b.source &&
               a.target != b.target;
      });
    }
  }
  CHECK(static_cast<double>(crossing) > 0.3 * static_cast<double>(links));
}

TEST_CASE("toy corpus: the compositional split combines what training never does") {
  std::map<std::string_view, int> words, constructions;  // in training
  for (const auto* split : {&corpus().train, &corpus().valid, &corpus().test}) {
    for (const auto& pair : *split) {
      REQUIRE(std::none_of(pair.uses.begin(), pair.uses.end(), is_held_out));
      for (const auto& use : pair.uses) {
        ++words[use.word];
        ++constructions[to_string(use.construction)];
      }
    }
  }
  std::set<std::string_view> shown;
  for (const auto& pair : corpus().compositional) {
    const auto use = std::find_if(pair.uses.begin(), pair.uses.end(), is_held_out);
    REQUIRE(use != pair.uses.end());
    shown.insert(use->word);
  }
  for (const auto& use : held_out_uses()) {
    CHECK(shown.count(use.word) == 1);
    CHECK(constructions[to_string(use.construction)] > 1000);
  }
  // The same, read off the surface.
  for (const auto& pair : corpus().train) {
    CHECK(pair.target.find("dem Mädchen") == std::string::npos);
    CHECK(pair.target.find("einer Tante") == std::string::npos);
    CHECK(pair.target.find("im Garten") == std::string::npos);
  }
}
