// The slope of a loss by a mask on heads, in every way there is to get it.
#include <weft/autograd/autograd.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/head_importance.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kHeads = 3, kQueries = 4, kKeys = 5, kWidth = 6;

struct Fixture {
  explicit Fixture(bool batch_first)
      : layer({.embed_dim = kWidth, .num_heads = kHeads, .batch_first = batch_first},
              Generator(1)) {
    layer.to(kFloat64);
    init::copy(layer.in_proj_bias, normal({3 * kWidth}, 2));
  }

  Tensor laid_out(const Tensor& x) const {
    return layer.options().batch_first ? x : transpose(x, 0, 1);
  }

  // Something curved of the output, a number for each sentence; weights where they are asked for.
  Tensor losses(Tensor* weights = nullptr) {
    const AttentionResult r =
        layer(laid_out(query), laid_out(memory), laid_out(memory),
              {.weights = weights ? AttentionWeights::per_head : AttentionWeights::none});
    if (weights) *weights = r.weights;
    const Tensor y = laid_out(r.output);
    return sum(tanh(y) * normal({kBatch, kQueries, kWidth}, 5), {1, 2});  // [B]
  }

  MultiheadAttention layer;
  Tensor query = normal({kBatch, kQueries, kWidth}, 3), memory = normal({kBatch, kKeys, kWidth}, 4);
};

// [B, T, D] -> [B, H, T, Dh]
Tensor by_head(const Tensor& x) {
  return permute(reshape(x, {x.size(0), x.size(1), kHeads, kWidth / kHeads}), {0, 2, 1, 3});
}

}  // namespace

TEST_CASE("the gradient of a head mask is heads, or weights, times their gradients") {
  for (const bool batch_first : {true, false}) {
    Fixture f(batch_first);
    Tensor weights, merged;
    HookHandle watch =
        f.layer.find_module("out_proj").register_forward_pre_hook([&](ModuleCall& call) {
          merged = *call.inputs[0];
        });
    const Tensor loss = sum(f.losses(&weights));
    watch.remove();
    const Tensors g = grad(Tensors{loss}, {weights, merged});
    const Tensor of_weights = head_mask_gradient(weights, g[0]),
                 of_heads =
                     head_mask_gradient(by_head(f.laid_out(merged)), by_head(f.laid_out(g[1])));

    Tensor each = ones({kBatch, kHeads}, kFloat64).set_requires_grad(),
           all = ones({kHeads}, kFloat64).set_requires_grad();
    HookHandle masked = mask_heads(f.layer, each);
    const Tensor by_sentence = grad(sum(f.losses()), each);
    masked.remove();
    masked = mask_heads(f.layer, all);
    const Tensor summed = grad(sum(f.losses()), all);
    masked.remove();

    REQUIRE(by_sentence.shape() == Shape{kBatch, kHeads});
    CHECK(min(abs(by_sentence)).item() > 1e-4);
    CHECK(largest_difference(of_weights, by_sentence) < 1e-13);
    CHECK(largest_difference(of_heads, by_sentence) < 1e-13);
    CHECK(largest_difference(summed, sum(by_sentence, {0})) < 1e-13);
    const Tensor importance = (abs(select(by_sentence, 0, 0)) + abs(select(by_sentence, 0, 1))) / 2;
    CHECK(largest_difference(head_importance(weights, g[0]), importance) < 1e-13);
  }
}

TEST_CASE("a mask of ones changes no bit; 0 takes a head out; then all is as before") {
  Fixture f(true);
  const Tensor before = f.losses();
  HookHandle mask = mask_heads(f.layer, ones({kHeads}, kFloat64));
  CHECK(largest_difference(f.losses(), before) == 0);
  mask.remove();
  mask = mask_heads(f.layer, tensor({1.0, 0.0, 1.0}, kFloat64));
  const Tensor without = f.losses();
  mask.remove();
  CHECK(largest_difference(f.losses(), before) == 0);
  Tensor columns = f.layer.find("out_proj.weight");  // the columns that read head 1
  init::copy(columns, columns.detach() * tensor({1.0, 1.0, 0.0, 0.0, 1.0, 1.0}, kFloat64));
  CHECK(largest_difference(f.losses(), without) < 1e-13);
  CHECK(largest_difference(before, without) > 0.01);
}

TEST_CASE("head masks say what they expect") {
  CHECK(message_of([] {
          head_mask_gradient(ones({1, 2, 3, 4}), ones({1, 2, 3, 5}));
        }) ==
        "head_mask_gradient: expected heads and gradients [B, H, Tq, Tk or Dh]; got [1, 2, 3, 4] "
        "and [1, 2, 3, 5]");
  Fixture f(true);
  mask_heads(f.layer, ones({2}, kFloat64));
  CHECK(message_of([&] {
          f.losses();
        }).find("mask_heads: expected a mask [3] or [2, 3]; got [2]") != std::string::npos);
}
