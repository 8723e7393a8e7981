// Interventions against attention with weights put in by hand, and their gradients.
#include <weft/autograd/autograd.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/head_importance.h>
#include <weft/nn/inspect/interventions.h>
#include <weft/nn/inspect/recorder.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kHeads = 3, kQueries = 4, kKeys = 5, kWidth = 6;
constexpr double kTight = 1e-12;

struct Fixture {
  explicit Fixture(double dropout = 0)
      : layer({.embed_dim = kWidth, .num_heads = kHeads, .dropout = dropout, .batch_first = true},
              Generator(1)) {
    layer.to(kFloat64);
    init::copy(layer.in_proj_bias, normal({3 * kWidth}, 2));
  }
  Tensor run(AttentionWeights form = AttentionWeights::none) {
    return layer(query, memory, memory, {.mask = Mask::causal(), .weights = form}).output;
  }
  // Of a call and backward of a curved loss.
  AttentionRecord recorded() {
    const AttentionRecorder seen(layer);
    sum(tanh(run()) * normal({kBatch, kQueries, kWidth}, 5)).backward();
    return seen[""];
  }
  // W_O of given weights times the values.
  Tensor by_hand(const AttentionRecord& r, const Tensor& weights) {
    const Tensor y = matmul(weights, r.values());  // [B, H, Tq, Dh]
    return linear(reshape(permute(y, {0, 2, 1, 3}), {kBatch, kQueries, kWidth}),
                  layer.find("out_proj.weight"), layer.find("out_proj.bias"));
  }

  MultiheadAttention layer;
  Tensor query = normal({kBatch, kQueries, kWidth}, 3), memory = normal({kBatch, kKeys, kWidth}, 4);
};

}  // namespace

TEST_CASE("recorded weights, put back, give the output again, and nothing to queries and keys") {
  Fixture f;
  const Tensor before = f.run();
  const AttentionRecord r = f.recorded();
  f.layer.zero_grad();
  HookHandle frozen = set_weights(f.layer, r.weights());
  const AttentionRecorder unfinished(f.layer);
  f.run();
  CHECK(message_of([&] { unfinished[""].dscores(); }) ==
        "attention record: no gradient has come to \"\"");
  const AttentionRecord again = f.recorded();
  CHECK(largest_difference(f.run(), before) < kTight);
  CHECK(largest_difference(again.dvalues(), r.dvalues()) < kTight);
  CHECK(max(abs(again.dscores())).item() == 0);
  CHECK(largest_difference(again.dweights(), r.dweights()) < kTight);
  CHECK(max(abs(slice(f.layer.in_proj_weight.grad(), 0, 0, 2 * kWidth))).item() == 0);
  CHECK(max(abs(slice(f.layer.in_proj_weight.grad(), 0, 2 * kWidth))).item() > 0.01);
  frozen.remove();
  CHECK(f.run().to_vector<double>() == before.to_vector<double>());
}

TEST_CASE("factors of 1 change nothing, with dropout too") {
  Fixture plain(0.4), scaled(0.4);
  scale_weights(scaled.layer, ones({1}, kFloat64));
  CHECK(plain.run(AttentionWeights::per_head).to_vector<double>() ==
        scaled.run().to_vector<double>());
  CHECK(largest_difference(plain.run(), scaled.run()) < kTight);  // fused against composed
}

TEST_CASE("weights of 0 for a head take it out, as a mask on heads does") {
  Fixture f;
  HookHandle mask = mask_heads(f.layer, tensor({1.0, 0.0, 1.0}, kFloat64));
  const Tensor without = f.run();
  mask.remove();
  HookHandle set = set_weights(f.layer, scalar(0, kFloat64),
                               reshape(tensor({false, true, false}), {kHeads, 1, 1}));
  CHECK(largest_difference(f.run(), without) < kTight);
  set.remove();
  scale_weights(f.layer, reshape(tensor({1.0, 0.0, 1.0}, kFloat64), {kHeads, 1, 1}));
  CHECK(largest_difference(f.run(), without) < kTight);
}

TEST_CASE("edges are set and scaled, also where the mask hides, in the order of registration") {
  Fixture f;
  const AttentionRecord r = f.recorded();
  const Tensor at = edges({kHeads, kQueries, kKeys}, {{1, 2, 0}, {0, 0, 4}});
  CHECK(sum(to(at, kInt64)).item() == 2);
  CHECK((at.at({1, 2, 0}) == 1 && at.at({0, 0, 4}) == 1));
  HookHandle set = set_weights(f.layer, scalar(0.7, kFloat64), at);
  const Tensor expected = where(at, scalar(0.7, kFloat64), r.weights());
  CHECK(largest_difference(f.run(), f.by_hand(r, expected)) < kTight);
  scale_weights(f.layer, 1 - to(at, kFloat64) * 0.5);
  CHECK(largest_difference(f.run(), f.by_hand(r, where(at, scalar(0.35, kFloat64), r.weights()))) <
        kTight);
  set.remove();
  CHECK(largest_difference(f.run(), f.by_hand(r, where(at, r.weights() * 0.5, r.weights()))) <
        kTight);
}

TEST_CASE("gradients through interventions on weights") {
  Fixture f;
  const Tensor at = edges({kHeads, kQueries, kKeys}, {{1, 2, 0}, {0, 0, 4}, {2, 3, 3}});
  const auto f_of = [&](const Tensors& in) {
    HookHandle scale = scale_weights(f.layer, in[2]), set = set_weights(f.layer, in[3], at);
    const Tensor y = f.layer(in[0], in[1], in[1], {.mask = Mask::causal()}).output;
    scale.remove();
    set.remove();
    return Tensors{y};
  };
  const Tensors inputs{f.query, f.memory, normal({kHeads, 1, kKeys}, 6), normal({kQueries, 1}, 7)};
  CHECK(gradcheck("weights", f_of, inputs, {.directions = {0, 3}}).failure == "");
}

TEST_CASE("the recorder sees weights after interventions, and gradients through them") {
  Fixture f(0.3), plain(0.3);
  const Tensor factors = normal({kHeads, 1, kKeys}, 6);
  scale_weights(f.layer, factors);
  const AttentionRecord r = f.recorded(), before = plain.recorded();
  CHECK(largest_difference(r.weights(), before.weights() * factors) < kTight);
  CHECK(r.scores().to_vector<double>() == before.scores().to_vector<double>());
  const Tensor da = r.dweights() * factors;  // at the softmax
  const Tensor ds = before.weights() * (da - sum(before.weights() * da, {-1}, true));
  CHECK(largest_difference(r.dscores(), ds) < kTight);
  // dW_K of the run.
  const Tensor rows = reshape(permute(r.dkeys(), {0, 2, 1, 3}), {kBatch * kKeys, kWidth});
  CHECK(largest_difference(slice(f.layer.in_proj_weight.grad(), 0, kWidth, 2 * kWidth),
                           matmul(transpose(rows, 0, 1), reshape(f.memory, {-1, kWidth}))) <
        kTight);
}

TEST_CASE("an activation of one run stands in another, whole or at some positions") {
  TransformerEncoder model(
      {.d_model = kWidth, .nhead = kHeads, .dim_feedforward = 8, .dropout = 0, .batch_first = true},
      2, Generator(1));
  model.to(kFloat64);
  const Tensor one = normal({2, 4, kWidth}, 2), other = normal({2, 4, kWidth}, 3);
  // Modules whose work is otherwise part of a fused op, too.
  for (const char* path :
       {"layers.0", "layers.0.self_attn", "layers.0.linear1", "layers.0.norm1"}) {
    INFO(path);
    Module& module = model.find_module(path);
    Tensor seen;
    auto look = [&](ModuleCall& call) { seen = call.outputs[0]->detach(); };
    HookHandle looking = module.register_forward_hook(look);
    const Tensor y = model(one);
    looking.remove();
    const Tensor activation = seen, before = model(other);

    HookHandle patched = patch(module, activation);
    CHECK(largest_difference(model(one), y) < kTight);
    CHECK(largest_difference(model(other), before) > 0.01);
    patched.remove();

    const Tensor at = unsqueeze(tensor({false, true, true, false}), -1);  // [T, 1]
    patched = patch(module, activation, at);
    looking = module.register_forward_hook(look);
    CHECK(largest_difference(model(one), y) < kTight);
    model(other);
    CHECK(largest_difference(slice(seen, 1, 1, 3), slice(activation, 1, 1, 3)) == 0);
    CHECK(largest_difference(select(seen, 1, 0), select(activation, 1, 0)) > 0.01);
    patched.remove();
    looking.remove();
    CHECK(model(other).to_vector<double>() == before.to_vector<double>());
  }
  auto& layer = model.find_module<TransformerEncoderLayer>("layers.0");
  const Tensor at = unsqueeze(tensor({false, true, true, false}), -1);
  const auto f = [&](const Tensors& in) {
    HookHandle patched = patch(layer, in[1], at);
    const Tensor y = model(in[0]);
    patched.remove();
    return Tensors{y};
  };
  const GradcheckOptions first{.order = 1};
  CHECK(gradcheck("patch", f, {one, normal({1, 4, kWidth}, 4)}, first).failure == "");
}

TEST_CASE("interventions say what they expect") {
  CHECK(message_of([] {
          edges({2, 3, 4}, {{1, 3, 0}});
        }) == "edges: head, query and key must be inside [2, 3, 4]; got 1, 3, 0");
  Fixture f;
  HookHandle hook = scale_weights(f.layer, ones({2, 1, 1}, kFloat64));
  CHECK(message_of([&] { f.run(); }) ==
        "scale_weights: expected float64 that broadcasts to [2, 3, 4, 5]; got float64 [2, 1, 1]");
  hook.remove();
  hook = set_weights(f.layer, scalar(0));
  CHECK(message_of([&] { f.run(); }) ==
        "set_weights: expected float64 that broadcasts to [2, 3, 4, 5]; got float32 []");
  hook.remove();
  hook = set_weights(f.layer, scalar(0, kFloat64), ones({5}));
  CHECK(message_of([&] { f.run(); }) ==
        "set_weights: expected bool that broadcasts to [2, 3, 4, 5]; got float32 [5]");
  hook.remove();
  hook = f.layer.register_weights_hook([](const Tensor& a) { return sum(a, {3}); });
  CHECK(message_of([&] { f.run(); }) ==
        "attention: a weights hook must return weights [2, 3, 4, 5]; got [2, 3, 4]");
  hook.remove();
  patch(f.layer, ones({7}, kFloat64));
  CHECK(message_of([&] {
          f.run();
        }).find("patch: expected float64 that broadcasts to [2, 4, 6]; got float64 [7]") !=
        std::string::npos);
}

TEST_CASE("under a change of weights, too, what the mask hides changes no output") {
  Fixture f;
  const Tensor expected = f.run();
  f.memory = cat({slice(f.memory, 1, 0, kKeys - 1),  // no query sees the last key
                  full({kBatch, 1, kWidth}, std::nan(""), kFloat64)},
                 1);
  CHECK(largest_difference(f.run(), expected) < kTight);
  HookHandle same = scale_weights(f.layer, scalar(1, kFloat64));
  CHECK(largest_difference(f.run(), expected) < kTight);
  same.remove();
}
