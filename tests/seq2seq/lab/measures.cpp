#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/inspect/contributions.h>
#include <weft/nn/inspect/norm_weights.h>
#include <weft/nn/inspect/relevance.h>
#include <weft/nn/inspect/rollout.h>
#include <weft/nn/inspect/spread.h>
#include <weft/seq2seq/lab/measure.h>
#include <weft/seq2seq/settings/named.h>
#include <weft/tests/catch.h>
#include <weft/tests/seq2seq/lab/pair.h>

#include <set>

using namespace weft;

namespace {

double distance(const Tensor& a, const Tensor& b) {
  const NoGrad no_grad;
  REQUIRE(a.shape() == b.shape());
  return max(abs(a.detach() - b.detach())).item();
}

const Measure& named(const std::string& name) {
  return find_named(builtin_measures(), name, "measure");
}

Tensor map_of(const std::string& name, const Study& study, Place place, size_t layer) {
  for (const Maps& maps : named(name).maps(study))
    if (maps.place == place) return maps.layers.at(layer);
  FAIL(name << " has no such place");
  return {};
}

Tensor tokens_of(const std::string& name, const Study& study) {
  const std::vector<TokenNumbers> found = named(name).tokens(study);
  REQUIRE(found.size() == 1);
  return found[0].values;
}

}  // namespace

TEST_CASE("every measure says what it is, and gives maps or tokens") {
  std::set<std::string> names;
  for (const Measure& m : builtin_measures()) {
    INFO(m.name);
    CHECK(names.insert(m.name).second);
    CHECK(!m.label.empty());
    CHECK(!m.formula.empty());
    CHECK(!m.words.empty());
    CHECK((m.maps == nullptr) != (m.tokens == nullptr));
  }
  CHECK(names.size() == 13);
}

TEST_CASE("maps are those of nn/inspect") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  const AttentionTrace &a = study.trace, &da = study.gradients;
  const auto first = [](const Tensor& x) { return select(x.detach(), 0, 0); };
  CHECK(distance(map_of("weights", study, Place::cross, 1), first(a.cross[1])) == 0);
  CHECK(distance(map_of("gradient", study, Place::decoder, 0), first(da.decoder[0])) == 0);
  CHECK(distance(map_of("gradient_attention", study, Place::encoder, 1),
                 first(a.encoder[1].detach() * da.encoder[1])) == 0);

  const NoGrad no_grad;
  const Relevance r = relevance(a, da);
  CHECK(distance(map_of("relevance", study, Place::cross, 0), r.cross) == 0);
  CHECK(distance(map_of("relevance", study, Place::encoder, 0), r.encoder) == 0);
  const Tensor whole = rollout(residual_layers(a));  // 5 of the source, 4 of the target
  CHECK(distance(map_of("rollout", study, Place::cross, 0), slice(slice(whole, 1, 5), 2, 0, 5)) ==
        0);
  CHECK(distance(map_of("rollout", study, Place::decoder, 0), slice(slice(whole, 1, 5), 2, 5)) ==
        0);
  const Tensor parts = rollout(contribution_layers(*p.model, [&](AttentionTrace* trace) {
    *trace = p.model->trace(pad_ids({&p.source, 1}), pad_ids({&p.target, 1}));
  }));
  CHECK(distance(map_of("contributions", study, Place::cross, 0),
                 slice(slice(parts, 1, 5), 2, 0, 5)) == 0);
  const Tensor flow = attention_flow(residual_layers(a));
  CHECK(distance(map_of("flow", study, Place::encoder, 0), slice(slice(flow, 1, 0, 5), 2, 0, 5)) ==
        0);
}

TEST_CASE("norm-based weights are of the layer and the values that it read") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  Tensor memory;  // what the cross-attention of the last layer reads
  HookHandle hook =
      p.model->find_module("transformer.encoder").register_forward_hook([&](ModuleCall& c) {
        memory = *c.outputs[0];
      });
  p.loss(p.source);
  hook.remove();
  auto& attention =
      p.model->find_module<MultiheadAttention>("transformer.decoder.layers.1.multihead_attn");
  const NoGrad no_grad;
  const Tensor direct = norm_weights(attention, memory, study.trace.cross[1]).per_head;
  CHECK(distance(map_of("norm_weights", study, Place::cross, 1), select(direct, 0, 0)) < 1e-6);
}

TEST_CASE("numbers of tokens are those of direct scoring") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  const double all = p.score(p.source);
  const Tensor left_out = tokens_of("leave_one_out", study);
  const Tensor shares = tokens_of("shapley", study);
  REQUIRE(left_out.shape() == Shape{5});
  for (int64_t i = 0; i < 4; ++i) {
    Ids read = p.source;
    read[static_cast<size_t>(i)] = kUnknown;
    CHECK(left_out.at({i}) == Approx(all - p.score(read)).margin(2e-5));
  }
  CHECK(left_out.at({4}) == 0);  // the end stays
  CHECK(shares.at({4}) == 0);
  CHECK(sum(shares).item() ==
        Approx(all - p.score({kUnknown, kUnknown, kUnknown, kUnknown, kEnd})).margin(2e-5));
}

TEST_CASE("gradients of tokens sum to the slope, integrated ones to the change") {
  LabPair p;
  p.model->to(kFloat64);
  const Study study(*p.model, p.source, p.target);
  const NoGrad no_grad;
  const auto at = [&](double scale) { return study.score_at(study.embeddings * scale).item(); };
  const double step = 1e-5;
  CHECK(sum(tokens_of("gradient_input", study)).item() ==
        Approx((at(1 + step) - at(1 - step)) / (2 * step)).epsilon(1e-6));
  const TokenNumbers found = named("integrated_gradients").tokens(study).at(0);
  REQUIRE(found.completeness_error);
  CHECK(sum(found.values).item() - *found.completeness_error ==
        Approx(at(1) - at(0)).epsilon(1e-9));
}

TEST_CASE("entropy is the mean over layers and heads") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);
  const Tensor found = tokens_of("entropy", study);
  const NoGrad no_grad;
  REQUIRE(found.shape() == Shape{4});
  double expected = 0;
  for (const Tensor& a : study.trace.cross)
    for (int64_t h = 0; h < 4; ++h) expected += entropy(a).at({0, h, 2}) / 8;
  CHECK(found.at({2}) == Approx(expected).epsilon(1e-5));
}

TEST_CASE("a recurrent model has what needs no Transformer") {
  const auto kind = GENERATE(RecurrentAttention::luong, RecurrentAttention::bahdanau);
  const auto model =
      small_recurrent_model({.vocabulary = kPairIds, .d_model = 16, .attention = kind});
  LabPair p;
  const Study study(*model, p.source, p.target);
  std::set<std::string> found;
  for (const Measured& m : take(builtin_measures(), study, true))
    if (!m.maps.empty() || !m.tokens.empty()) found.insert(m.measure->name);
  CHECK(found == std::set<std::string>{"weights", "gradient", "gradient_attention", "entropy",
                                       "gradient_input", "integrated_gradients", "leave_one_out",
                                       "shapley"});
  CHECK(max(abs(map_of("gradient", study, Place::cross, 0))).item() > 0);
}

TEST_CASE("what takes too long for a long sentence is left out") {
  LabPair p;
  Generator random(3);
  const Study study(*p.model, random_source(random, kMostShapleyUnits + 1, kPairIds), p.target);
  CHECK(named("shapley").tokens(study).empty());
  CHECK(named("leave_one_out").tokens(study).size() == 1);
  CHECK(named("flow").maps(study).size() == 3);
  const Study longer(*p.model, random_source(random, 60, kPairIds), p.target);
  CHECK(named("flow").maps(longer).empty());
  CHECK(named("rollout").maps(longer).size() == 3);
}

TEST_CASE("numbers of a measure that do not fit the sentence are an error that names it") {
  LabPair p;
  const Study study(*p.model, p.source, p.target);  // 5 source positions, 4 of the target
  const auto taken = [&](std::vector<Maps> maps, std::vector<TokenNumbers> tokens) {
    const Measure mine{.name = "mine",
                       .maps = [maps](const Study&) { return maps; },
                       .tokens = [tokens](const Study&) { return tokens; }};
    return take({&mine, 1}, study, true)[0].maps.size();
  };
  CHECK(taken({{Place::cross, {zeros({2, 4, 5})}}, {Place::decoder, {}}},
              {{Place::encoder, zeros({5})}}) == 1);
  CHECK(message_of([&] {
          taken({{Place::cross, {zeros({2, 4, 6})}}}, {});
        }) == "measure mine: expected maps of cross as tensors [H, 4, 5]; got [2, 4, 6]");
  CHECK(message_of([&] {
          taken({}, {{Place::decoder, zeros({5})}});
        }) == "measure mine: expected numbers of tokens as a tensor [4]; got [5]");
}
