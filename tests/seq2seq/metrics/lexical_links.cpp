#include <weft/core/error.h>
#include <weft/seq2seq/metrics/lexical_links.h>
#include <weft/tests/catch.h>

#include <limits>

using namespace weft;
using Links = std::vector<Link>;

namespace {

void check_weights(const AttentionMap& map, const std::vector<double>& expected) {
  REQUIRE(map.weights.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(map.weights[i] == Approx(expected[i]).margin(1e-15));
}

}  // namespace

TEST_CASE("lexical maps: a map times what all maps say of its words") {
  // Rows that sum to 1: 3/4 1/4, 1/2 1/2; 1. Of source word 11 in all 9/4: to 21 7/4, to 22 1/2; of
  // 12 in all 3/4: to 21 1/4, to 22 1/2.
  const std::vector<WordMap> sentences{{{11, 12}, {21, 22}, {2, 2, {3, 1, 2, 2}}},
                                       {{11}, {21}, {1, 1, {4}}}};
  const std::vector<AttentionMap> found = lexical_maps(sentences);
  REQUIRE(found.size() == 2);
  CHECK((found[0].rows == 2 && found[0].columns == 2));
  check_weights(found[0], {3. / 4 * 7 / 9, 1. / 4 / 3, 1. / 2 * 2 / 9, 1. / 2 * 2 / 3});
  check_weights(found[1], {7. / 9});
  // The second row had no strongest word; that 11 goes with 21 elsewhere decides.
  CHECK(strongest_links(found[0], 2, 2, ReadAt::kProducingStep) == Links{{0, 0}, {1, 1}});
}

TEST_CASE("lexical maps: a word counts wherever it stands") {
  // 11 to 21: 1/4 + 3/4 of 2 in all.
  const std::vector<AttentionMap> found =
      lexical_maps(std::vector<WordMap>{{{11, 11}, {21, 22}, {2, 2, {1, 3, 1, 1}}}});
  check_weights(found[0], {1. / 8, 3. / 8, 1. / 4, 1. / 4});
}

TEST_CASE("lexical maps: what is no positive number is none") {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  const std::vector<AttentionMap> found =
      lexical_maps(std::vector<WordMap>{{{11, 12}, {21, 22}, {2, 2, {nan, -1, infinity, 5}}}});
  check_weights(found[0], {0, 0, 0, 1});
  CHECK(message_of([] {
          lexical_maps(std::vector<WordMap>{{{1, 2}, {3}, {2, 1, {1, 1}}}});
        }) == "lexical_maps: expected a map [1, 2], of target and source words; got [2, 1]");
}

TEST_CASE("links of both ways are all of either, each once") {
  CHECK(both_ways(Links{{2, 0}, {1, 1}}, Links{{1, 1}, {0, 2}, {1, 0}}) ==
        Links{{0, 1}, {1, 1}, {2, 0}});
}
