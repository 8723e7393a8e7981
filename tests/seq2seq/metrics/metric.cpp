#include <weft/seq2seq/metrics/chrf.h>
#include <weft/seq2seq/metrics/exact_match.h>
#include <weft/seq2seq/metrics/metric.h>
#include <weft/seq2seq/metrics/token_accuracy.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/tests/catch.h>

using namespace weft;
using Lines = std::vector<std::string>;

TEST_CASE("chrF: sacreBLEU's published scores, beta 3") {
  const auto score = [](const Lines& h, const Lines& r) { return chrf(h, r, 3); };
  CHECK(score({" risk assessment must be made of those who are qualified and expertise in the "
               "sector - these are the scientists ."},
              {"risk assessment has to be undertaken by those who are qualified and expert in "
               "that area - that is the scientists ."}) == Approx(63.361730).margin(1e-4));
  CHECK(score({" Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. "},
              {"Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade freundschaftlich."}) ==
        Approx(64.1302698).margin(1e-4));
  CHECK(score({"a b c"}, {"abc"}) == 100);
  CHECK(score({"a", "b"}, {"a", "c"}) == 50);
  CHECK(score({"aa"}, {"ab"}) == 25);
  CHECK(score({""}, {"reference"}) == 0);
  CHECK(score({"abcdefg"}, {"hijklmnop"}) == 0);
}

TEST_CASE("token accuracy counts words at their place, over the longer side") {
  CHECK(token_accuracy(Lines{"a b c"}, Lines{"a x c"}) == 100. * 2 / 3);
  CHECK(token_accuracy(Lines{"a b c d"}, Lines{"a b"}) == 50);
  CHECK(token_accuracy(Lines{"a", ""}, Lines{"a", "b"}) == 50);
  CHECK(token_accuracy(Lines{""}, Lines{""}) == 100);
}

TEST_CASE("exact match counts sentences") {
  CHECK(exact_match(Lines{"a b", "c", "d", "ef"}, Lines{"a b", "c", "x", "e f"}) == 50);
  CHECK(exact_match(Lines{"ein haus"}, Lines{" ein\u00a0\thaus"}) == 100);
  CHECK(
      message_of([] { exact_match(Lines{"a"}, Lines{}); }) ==
      "exact_match: needs sentences and one reference for each; got 1 hypotheses and 0 references");
  CHECK(message_of([] { exact_match(Lines{}, Lines{}); }) ==
        "exact_match: needs sentences and one reference for each; got 0 hypotheses and 0 "
        "references");
}

TEST_CASE("no score is better than that of the references; a metric is found by its name") {
  const Lines text{"ein haus am see", "der hund schläft ."};
  for (const Metric& m : builtin_metrics()) {
    INFO(m.name);
    CHECK(m.score(text, text) == Approx(m.higher_is_better ? 100 : 0).margin(1e-10));
    CHECK(m.better(m.score(text, text), m.score(Lines{"x y z w", "v"}, text)));
    CHECK(&find_named(builtin_metrics(), m.name, "metric") == &m);
  }
  CHECK(message_of([] { find_named(builtin_metrics(), "blue", "metric"); }) ==
        "metric: must be one of bleu, chrf, exact, tokens, ter, wer; got 'blue'");
}

TEST_CASE("a built-in score is that of the sums of its counts") {
  const Lines h{"ein haus am see", "", "der der hund"}, r{"ein haus an dem see", "x", "der hund"};
  for (const Metric& m : builtin_metrics()) {
    INFO(m.name);
    Counts sums;
    for (size_t i = 0; i < h.size(); ++i) add_counts(sums, m.counts(h[i], r[i]));
    CHECK(m.score_of_counts(sums) == m.score(h, r));
  }
}

TEST_CASE("a metric says which score is better, and which cannot be bettered") {
  const Metric rising{"accuracy", "accuracy", true, {}}, falling{"errors", "errors", false, {}};
  CHECK((rising.better(2, 1) && !rising.better(1, 1) && !rising.better(1, 2)));
  CHECK((falling.better(1, 2) && !falling.better(1, 1) && !falling.better(2, 1)));
  CHECK((rising.perfect(100) && !rising.perfect(0)));
  CHECK((falling.perfect(0) && !falling.perfect(100)));
}
