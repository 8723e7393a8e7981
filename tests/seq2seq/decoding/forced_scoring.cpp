// What a model says of given translations, against its loss.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/decoding/forced_scoring.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/decoding/small_model.h>
#include <weft/tests/seq2seq/decoding/table_model.h>

using namespace weft;

namespace {

// Between kBegin and kEnd, as the loss takes it.
Ids framed(Ids ids) {
  ids.insert(ids.begin(), kBegin);
  ids.push_back(kEnd);
  return ids;
}

}  // namespace

TEST_CASE("the forced score of a target is the model's loss") {
  const auto model = small_model(60, 32);
  Generator random(11);
  std::vector<Ids> sources, targets, all_framed;
  for (int64_t i = 0; i < 12; ++i) {
    sources.push_back(random_source(random, 1 + i, 60));
    targets.push_back(random_source(random, i == 0 ? 0 : 60 - 5 * i, 60));  // some beyond any beam
    targets.back().pop_back();
    if (i % 3 == 1) targets.back()[0] = kUnknown;
    all_framed.push_back(framed(targets.back()));
  }
  const auto found = decode(*model, sources, ForcedScoring(targets));
  const NoGrad no_grad;
  double sum = 0, tokens = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    REQUIRE(found[i].size() == 1);
    const Hypothesis& h = found[i][0];
    CAPTURE(i);
    CHECK(h.ids == targets[i]);
    CHECK(h.ended);
    const double count = static_cast<double>(targets[i].size()) + 1;
    REQUIRE(static_cast<double>(h.token_log_probs.size()) == count);
    const double loss =
        model->loss(pad_ids({&sources[i], 1}), pad_ids({&all_framed[i], 1}), 0).item();
    CHECK(-h.log_prob / count == Approx(loss).epsilon(1e-6));
    sum += h.log_prob;
    tokens += count;
  }
  const double loss = model->loss(pad_ids(sources), pad_ids(all_framed), 0).item();
  CHECK(-sum / tokens == Approx(loss).epsilon(1e-6));
}

TEST_CASE("what greedy search found has the score that it was found with, to the bit") {
  const auto model = small_model(60, 32);
  Generator random(12);
  const std::vector<Ids> sources{random_source(random, 9, 60)};
  const Hypothesis found = decode(*model, sources, BeamSearch({.length_penalty = 0}))[0][0];
  std::vector<float> log_probs = found.token_log_probs;
  if (found.ended) log_probs.pop_back();
  std::vector<float> forced =
      decode(*model, sources, ForcedScoring({found.ids}))[0][0].token_log_probs;
  forced.pop_back();
  CHECK(forced == log_probs);
}

TEST_CASE("forced scoring says what is wrong with its targets") {
  CHECK(message_of([] {
          ForcedScoring({{kA}, {kA, kEnd}});
        }) ==
        "decode: a target must be of words, without begin, end and padding; got id 3 in target 1");
  CHECK(message_of([] {
          decode_one({{{}, {{kEnd, 0.5}}}}, ForcedScoring({}));
        }) == "decode: every sentence to score needs a target; got 0 targets and sentence 0");
  CHECK(message_of([] {
          decode_one({{{}, {{kEnd, 0.5}}}}, ForcedScoring(std::vector<Ids>{{99}}));
        }) ==
        "decode: a choice must have from in [0, 1) and id in [0, 6); got 0 and 99 for sentence 0");
}
