#include <fmt/format.h>
#include <weft/seq2seq/tasks/corpus.h>
#include <weft/seq2seq/tasks/hold_out.h>
#include <weft/tests/catch.h>
#include <weft/tests/temp_dir.h>

#include <algorithm>
#include <set>

using namespace weft;
using Lines = std::vector<std::string>;

namespace {

// "s0 <tab> t0", "s1 <tab> t1", ...; source i is the one of pair i modulo `sources`.
ParallelText numbered(int64_t pairs, int64_t sources) {
  ParallelText text;
  for (int64_t i = 0; i < pairs; ++i) {
    text.source.push_back(fmt::format("s{}", i % sources));
    text.target.push_back(fmt::format("t{}", i));
  }
  return text;
}

int64_t held_out(int64_t pairs, int64_t sources) {
  ParallelText text = numbered(pairs, sources);
  return std::ssize(hold_out(text).source);
}

std::string tsv(const ParallelText& text) {
  std::string lines;
  for (size_t i = 0; i < text.source.size(); ++i)
    lines += text.source[i] + "\t" + text.target[i] + "\n";
  return lines;
}

}  // namespace

TEST_CASE("hold_out: 5 %, at least 1 and at most 1000 pairs") {
  CHECK(held_out(2, 2) == 1);
  CHECK(held_out(39, 39) == 1);
  CHECK(held_out(40, 40) == 2);
  CHECK(held_out(400, 400) == 20);
  CHECK(held_out(19999, 19999) == 999);
  CHECK(held_out(50000, 50000) == 1000);
}

TEST_CASE("hold_out: every pair is on one side, in order, the same at every call") {
  ParallelText text = numbered(100, 100), again = numbered(100, 100);
  const ParallelText all = text, held = hold_out(text);
  CHECK(hold_out(again).source == held.source);
  CHECK(again.source == text.source);
  ParallelText merged;
  for (size_t i = 0, k = 0, h = 0; i < all.source.size(); ++i) {
    const bool is_held = h < held.source.size() && held.source[h] == all.source[i];
    merged.source.push_back(is_held ? held.source[h] : text.source.at(k));
    merged.target.push_back(is_held ? held.target[h++] : text.target.at(k++));
  }
  CHECK(merged.source == all.source);
  CHECK(merged.target == all.target);
  // Drawn, not every twentieth: a file may have a period.
  std::set<std::string> last_digits;
  for (const std::string& source : held.source)
    last_digits.insert(source.substr(source.size() - 1));
  CHECK(last_digits.size() > 1);
}

TEST_CASE("hold_out: no source is on both sides, however often it occurs") {
  ParallelText text = numbered(120, 40);
  const ParallelText held = hold_out(text);
  CHECK(held.source.size() == 6);
  for (const std::string& source : held.source)
    CHECK(std::count(text.source.begin(), text.source.end(), source) == 0);
  CHECK(held_out(20, 2) == 10);  // each has more than 5 %
  ParallelText one_rare{{"a", "a", "b", "a", "a", "a"}, {"1", "2", "3", "4", "5", "6"}};
  CHECK(hold_out(one_rare).target == Lines{"3"});
  ParallelText one{{"a", "a"}, {"1", "2"}};
  CHECK(message_of([&] { hold_out(one); }) ==
        "hold_out: needs two different sources, one to train on and one to validate on; got 1");
}

TEST_CASE("read_corpus: splits in either form") {
  const TempDir dir;
  const auto train = dir.write("train.tsv", "a b\tx y\n\tz\nc d\tv w\n");
  const Corpus corpus = read_corpus({{train, {}, {}},
                                     {{}, dir.write("v.s", "e f\n"), dir.write("v.t", "g h\n")},
                                     {dir.write("test.tsv", "i j\tk l\nm\t \n"), {}, {}}});
  CHECK(corpus.train.text.source == Lines{"a b", "c d"});
  CHECK(corpus.train.text.target == Lines{"x y", "v w"});
  CHECK(corpus.train.removed == 1);
  CHECK(corpus.valid.text.target == Lines{"g h"});
  CHECK(corpus.held_out == 0);
  REQUIRE(corpus.tests.size() == 1);
  CHECK(corpus.tests[0].name == "test");
  CHECK(corpus.tests[0].text.source == Lines{"i j"});
  CHECK(corpus.tests[0].removed == 1);
}

TEST_CASE("read_corpus: without validation files it holds out pairs that have words") {
  const TempDir dir;
  const auto file = dir.write("train.tsv", tsv(numbered(100, 100)) + "no target\t\n");
  const Corpus corpus = read_corpus({{file, {}, {}}, {}, {}});
  CHECK(corpus.held_out == 5);
  CHECK(corpus.valid.name == "valid");
  CHECK(corpus.valid.text.source.size() == 5);
  CHECK(corpus.train.text.source.size() == 95);
  CHECK(corpus.train.removed == 1);
  CHECK(corpus.tests.empty());
  CHECK(message_of([&] {
          read_corpus({{dir.write("blank.tsv", "\t\n"), {}, {}}, {}, {}});
        }) ==
        "read_corpus: no pair of '" + (dir / "blank.tsv").string() + "' has words on both sides");
}

TEST_CASE("swap_sides: source and target change places in every split, and so do links") {
  const Split split{"s", {{"a b"}, {"x"}}, {{{1, 0}}}}, plain{"t", {{"c"}, {"y z"}}, {}};
  const Corpus back = swap_sides({split, plain, {plain, split}, {{"metric", "bleu"}}});
  for (const Split* s : {&back.train, &back.tests[1]}) {
    CHECK(s->text.source == std::vector<std::string>{"x"});
    CHECK(s->text.target == std::vector<std::string>{"a b"});
    CHECK(s->gold == std::vector<std::vector<Link>>{{{0, 1}}});
  }
  for (const Split* s : {&back.valid, back.tests.data()}) {
    CHECK(s->text.source == std::vector<std::string>{"y z"});
    CHECK(s->gold.empty());
  }
  CHECK(back.defaults == Settings{{"metric", "bleu"}});
}
