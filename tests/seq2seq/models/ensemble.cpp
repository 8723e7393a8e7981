// An ensemble against a model whose probabilities are the means.
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/models/ensemble.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/small_model.h>
#include <weft/tests/seq2seq/decoding/table_model.h>

using namespace weft;

namespace {

std::unique_ptr<Ensemble> ensemble(std::unique_ptr<Seq2SeqModel> a,
                                   std::unique_ptr<Seq2SeqModel> b) {
  std::vector<std::unique_ptr<Seq2SeqModel>> members;
  members.push_back(std::move(a));
  members.push_back(std::move(b));
  return std::make_unique<Ensemble>(std::move(members));
}

}  // namespace

TEST_CASE("an ensemble translates by the mean of its models' probabilities") {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Table a = random_table(seed, 3), b = random_table(seed + 100, 3);
    Table mean = a;
    for (auto& [ids, next] : mean)
      for (auto& [id, p] : next) p = (p + b.at(ids).at(id)) / 2;
    const std::vector<Ids> source{{kA, kEnd}};
    const BeamSearch beam({.beam = 15});
    const auto both = ensemble(std::make_unique<TableModel>(a), std::make_unique<TableModel>(b));
    const auto got = decode(*both, source, beam)[0], want = decode_one(mean, beam);
    REQUIRE(got.size() == want.size());
    for (size_t i = 0; i < got.size(); ++i) {
      CAPTURE(seed, i);
      CHECK(got[i].ids == want[i].ids);
      CHECK(got[i].log_prob == Approx(want[i].log_prob).epsilon(1e-5));
    }
  }
}

TEST_CASE("an ensemble of equals is one of them") {
  const auto alone = small_model(40, 16);
  const auto both = ensemble(small_model(40, 16), small_model(40, 16));
  Generator random(5);
  std::vector<Ids> sources;
  for (int64_t words = 1; words < 6; ++words) sources.push_back(random_source(random, words, 40));
  const BeamSearch beam({.beam = 3});
  const auto got = decode(*both, sources, beam), want = decode(*alone, sources, beam);
  for (size_t i = 0; i < sources.size(); ++i)
    for (size_t n = 0; n < 3; ++n) {
      CHECK(got[i][n].ids == want[i][n].ids);
      CHECK(got[i][n].log_prob == Approx(want[i][n].log_prob).epsilon(1e-5));
    }
  const Ids target{kBegin, 5, kEnd};
  CHECK(cross_attention(*both, sources[2], target)[1][3].weights ==
        cross_attention(*alone, sources[2], target)[1][3].weights);
}

TEST_CASE("an ensemble says what it cannot do") {
  CHECK(message_of([] { Ensemble({}); }) == "Ensemble: needs at least one model; got none");
  const auto both = ensemble(small_model(40, 16), small_model(41, 16));
  const PaddedIds ids = pad_ids(std::vector<Ids>{{kBegin, 5, kEnd}});
  CHECK(message_of([&] { both->loss(ids, ids, 0); }) ==
        "Ensemble: has no loss: its models are trained one by one");
  CHECK(message_of([&] {
          decode(*both, std::vector<Ids>{{5, kEnd}}, BeamSearch());
        }) ==
        "Ensemble: models must be of one vocabulary; got log-probabilities of [1, 40] and [1, 41]");
}
