#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/error.h>
#include <weft/nn/inspect/relevance.h>
#include <weft/seq2seq/lab/study.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/pair.h>

using namespace weft;

namespace {

double distance(const Tensor& a, const Tensor& b) {
  const NoGrad no_grad;
  REQUIRE(a.shape() == b.shape());
  return max(abs(a.detach() - b.detach())).item();
}

}  // namespace

TEST_CASE("a study's score is the log-probability of the target") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  CHECK(study.rows() == 4);
  CHECK(study.units() == 4);
  REQUIRE(study.log_probs().size() == 4);
  CHECK(study.score() == Approx(p.score(p.source)).epsilon(1e-5));
  CHECK(study.log_prob.item() == Approx(p.score(p.source)).epsilon(1e-5));
  CHECK(study.score_at(study.embeddings).item() == Approx(p.score(p.source)).epsilon(1e-5));
}

TEST_CASE("a study's gradients are those of its score by the weights of its trace") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  REQUIRE(study.trace.cross.size() == 2);
  REQUIRE(study.gradients.cross.size() == 2);
  const AttentionTrace direct =
      attention_gradients(study.log_prob, study.trace, {.retain_graph = true});
  for (size_t l = 0; l < 2; ++l) {
    CHECK(distance(study.gradients.encoder[l], direct.encoder[l]) == 0);
    CHECK(distance(study.gradients.decoder[l], direct.decoder[l]) == 0);
    CHECK(distance(study.gradients.cross[l], direct.cross[l]) == 0);
    CHECK(max(abs(direct.cross[l])).item() > 0);
  }
}

TEST_CASE("scores and gradients of single tokens sum to those of the target") {
  LabPair p;
  const Study whole(*p.model, p.source, p.target);
  double score = 0, at = 0;
  Tensor cross, decoder, encoder;
  for (int64_t t = 0; t < 4; ++t) {
    const Study one(*p.model, p.source, p.target, t);
    CHECK(one.score() == Approx(whole.log_probs()[static_cast<size_t>(t)]).margin(1e-6));
    score += one.score();
    at += one.score_at(one.embeddings).item();
    const auto add = [](Tensor& sum, const Tensor& x) { sum = sum.defined() ? sum + x : x; };
    add(cross, one.gradients.cross[0]);
    add(decoder, one.gradients.decoder[0]);
    add(encoder, one.gradients.encoder[0]);
    if (t < 3)  // later rows do not act on token t
      CHECK(max(abs(slice(one.gradients.cross[0], 2, t + 1))).item() == 0);
  }
  CHECK(score == Approx(whole.score()).epsilon(1e-6));
  CHECK(at == Approx(whole.score()).epsilon(1e-5));
  CHECK(distance(cross, whole.gradients.cross[0]) < 1e-5);
  CHECK(distance(decoder, whole.gradients.decoder[0]) < 1e-5);
  CHECK(distance(encoder, whole.gradients.encoder[0]) < 1e-5);
}

TEST_CASE("a token that is not kept is unknown to the model") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  const Tensor scores = study.all_subsets();
  REQUIRE(scores.numel() == 16);
  for (int64_t subset = 0; subset < 16; ++subset) {
    Ids read = p.source;
    for (int64_t i = 0; i < 4; ++i)
      if (!(subset >> i & 1)) read[static_cast<size_t>(i)] = kUnknown;
    CHECK(scores.at({subset}) == Approx(p.score(read)).epsilon(1e-5));
  }
}

TEST_CASE("a study knows the layer that gave its weights, and the vectors of its source") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  const Study::Layer layer = study.layer_of(study.trace.cross[1]);
  REQUIRE(layer.attention != nullptr);
  CHECK(layer.attention->path() == "transformer.decoder.layers.1.multihead_attn");
  CHECK(layer.value.shape() == Shape{1, 5, 16});
  CHECK(study.layer_of(study.embeddings).attention == nullptr);
  const Tensor weight = p.model->find("embedding.weight");
  CHECK(distance(select(select(study.embeddings, 0, 0), 0, 1), select(weight, 0, 9)) == 0);
  for (const auto& child : p.model->children()) CHECK_FALSE(child.second->has_hooks());
}

TEST_CASE("a study says what it cannot be of") {
  LabPair p;
  CHECK_THROWS_WITH(Study(*p.model, {kEnd}, p.target), "lab: the source has no words");
  CHECK_THROWS_WITH(Study(*p.model, p.source, p.target, 4),
                    "lab: token must be in [1, 4], of the target's tokens and its end; got 5");
  CHECK_THROWS_WITH(Study(*p.model, p.source, {8, 11}),
                    "lab: a target must go from kBegin to kEnd; got 2 ids");
  CHECK_THROWS_AS(Study(*p.model, p.source, {kBegin, kPad, kEnd}), Error);
}

TEST_CASE("an empty target is its end alone") {
  LabPair p;
  const Study study(*p.model, p.source, {kBegin, kEnd});
  CHECK(study.rows() == 1);
  CHECK(study.log_probs().size() == 1);
  CHECK(study.trace.cross[0].size(2) == 1);
}
