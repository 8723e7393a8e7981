#include <weft/seq2seq/metrics/alignment.h>
#include <weft/tests/catch.h>

using namespace weft;
using Links = std::vector<Link>;

namespace {
// Steps: begin -> "ich", "ich" -> "sehe", "sehe" -> "sie", "sie" -> end; source "i see her" end.
const AttentionMap kMap{4,
                        4,
                        {.6, .2, .1, .1,  //
                         .1, .7, .1, .1,  //
                         .2, .1, .3, .4,  //
                         .0, .1, .9, .0}};
const Links kGold{{0, 0}, {1, 1}, {2, 2}};
}  // namespace

TEST_CASE("links are read at the step that produces a word or at the one that reads it") {
  CHECK(strongest_links(kMap, 3, 3, ReadAt::kProducingStep) == Links{{0, 0}, {1, 1}, {2, 2}});
  CHECK(strongest_links(kMap, 3, 3, ReadAt::kConsumingStep) == Links{{1, 0}, {2, 1}, {2, 2}});
  CHECK(message_of([] { strongest_links(kMap, 3, 4, ReadAt::kConsumingStep); }) ==
        "strongest_links: attention must cover 3 source words and steps 1 to 4; got [4, 4]");
  CHECK(message_of([] { strongest_links(kMap, 5, 3, ReadAt::kProducingStep); }) ==
        "strongest_links: attention must cover 5 source words and steps 0 to 2; got [4, 4]");
}

TEST_CASE("the alignment error rate is Och and Ney's") {
  AlignmentCounts counts;
  CHECK(counts.error_rate() == 0);
  counts.add(kGold, kGold, kGold);
  CHECK(counts.error_rate() == 0);
  AlignmentCounts none;
  none.add(Links{{5, 5}}, kGold, kGold);
  CHECK(none.error_rate() == 1);
  AlignmentCounts mixed;  // A: 4 links, 2 of 3 sure ones, 3 possible: 1 - (2 + 3) / (4 + 3)
  mixed.add(Links{{0, 0}, {1, 1}, {0, 2}, {3, 3}, {0, 0}}, kGold, Links{{0, 2}});
  CHECK(mixed.error_rate() == Approx(1 - 5. / 7));
  mixed.add(kGold, kGold, {});  // sums over sentences, not a mean of rates
  CHECK(mixed.error_rate() == Approx(1 - 11. / 13));
}

TEST_CASE("the best head is found over all sentences") {
  AttentionMap late = kMap;  // right when read one step later
  late.weights = {0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
  const AttentionMaps maps{{late, late}, {late, kMap}};
  AlignmentScores produced(ReadAt::kProducingStep), consumed(ReadAt::kConsumingStep);
  for (int i = 0; i < 2; ++i) {
    produced.add(maps, 3, 3, kGold);
    consumed.add(maps, 3, 3, kGold);
  }
  CHECK(produced.best().layer == 1);
  CHECK(produced.best().head == 1);
  CHECK(produced.best().error_rate == 0);
  CHECK(consumed.best().layer == 0);
  CHECK(consumed.best().head == 0);
  CHECK(consumed.best().error_rate == 0);
  CHECK(produced.error_rates()[0][0] == Approx(1));
  CHECK(consumed.error_rates()[1][1] == Approx(1 - 2. / 6));
}

TEST_CASE("alignment scores refuse a change of layers or heads") {
  AlignmentScores scores(ReadAt::kProducingStep);
  CHECK(message_of([&] { scores.best(); }) ==
        "AlignmentScores: expected at least one sentence; got none");
  scores.add({{kMap, kMap}}, 3, 3, kGold);
  CHECK(message_of([&] { scores.add({{kMap}}, 3, 3, kGold); }) ==
        "AlignmentScores: expected 2 heads in layer 0; got 1");
  CHECK(message_of([&] {
          scores.add({{kMap, kMap}, {kMap, kMap}}, 3, 3, kGold);
        }) == "AlignmentScores: expected 1 layers; got 2");
}
