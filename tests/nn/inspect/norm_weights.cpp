// Norm-based weights against loops over heads, keys and dims.
#include <weft/autograd/autograd.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/norm_weights.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kHeads = 3, kQueries = 4, kKeys = 5, kValueWidth = 2, kWidth = 7;

// What head h adds to dim d of the output at query q from key k.
double share(const Tensor& weights, const Tensor& values, const Tensor& out, int64_t b, int64_t h,
             int64_t q, int64_t k, int64_t d) {
  double f = 0;
  for (int64_t v = 0; v < kValueWidth; ++v)
    f += values.at({b, h, k, v}) * out.at({d, h * kValueWidth + v});
  return weights.at({b, h, q, k}) * f;
}

struct Attention {
  explicit Attention(bool batch_first, std::optional<int64_t> vdim = {})
      : layer({.embed_dim = 6, .num_heads = 2, .vdim = vdim, .batch_first = batch_first},
              Generator(1)) {
    layer.to(kFloat64);
    init::copy(layer.in_proj_bias, normal({18}, 5));
    init::copy(layer.find("out_proj.bias"), normal({6}, 6));
  }
  MultiheadAttention layer;
};

}  // namespace

// Negative weights too, which an intervention may set.
TEST_CASE("norm-based weights are the lengths of what each key adds") {
  const Tensor a = normal({kBatch, kHeads, kQueries, kKeys}, 1),
               v = normal({kBatch, kHeads, kKeys, kValueWidth}, 2),
               out = normal({kWidth, kHeads * kValueWidth}, 3);
  const NormWeights found = norm_weights(a, v, out);
  REQUIRE(found.per_head.shape() == Shape{kBatch, kHeads, kQueries, kKeys});
  REQUIRE(found.summed.shape() == Shape{kBatch, kQueries, kKeys});
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t q = 0; q < kQueries; ++q)
      for (int64_t k = 0; k < kKeys; ++k) {
        std::vector<double> total(kWidth);
        for (int64_t h = 0; h < kHeads; ++h) {
          double squares = 0;
          for (int64_t d = 0; d < kWidth; ++d) {
            const double one = share(a, v, out, b, h, q, k, d);
            squares += one * one;
            total[static_cast<size_t>(d)] += one;
          }
          CHECK(std::abs(found.per_head.at({b, h, q, k}) - std::sqrt(squares)) < kClose);
        }
        double squares = 0;
        for (double x : total) squares += x * x;
        CHECK(std::abs(found.summed.at({b, q, k}) - std::sqrt(squares)) < kClose);
      }
}

TEST_CASE("what the keys add is all of a layer's output but its bias") {
  for (const bool batch_first : {true, false})
    for (const int64_t vdim : {6, 3}) {
      Attention attention(batch_first, vdim);
      const Tensor query = normal({1, 1, 6}, 2), value = normal({1, 1, vdim}, 3);
      const AttentionResult r =
          attention.layer(query, query, value, {.weights = AttentionWeights::per_head});
      const NormWeights found = norm_weights(attention.layer, value, r.weights);
      const Tensor added = r.output - attention.layer.find("out_proj.bias");  // one key: all of it
      CHECK(std::abs(found.summed.item() - std::sqrt(sum(added * added).item())) < kClose);
    }
}

TEST_CASE("norm-based weights of a layer know its layout") {
  Attention first(true), second(false);
  const Tensor query = normal({2, 3, 6}, 2), memory = normal({2, 4, 6}, 3);
  const AttentionResult r =
      first.layer(query, memory, memory, {.weights = AttentionWeights::per_head});
  const NormWeights a = norm_weights(first.layer, memory, r.weights),
                    b = norm_weights(second.layer, transpose(memory, 0, 1), r.weights);
  CHECK(largest_difference(a.summed, b.summed) == 0);
  CHECK(largest_difference(a.per_head, b.per_head) == 0);
}

TEST_CASE("norm-based weights are differentiable, also where a weight or a value is 0") {
  const auto f = [](const Tensors& in) {
    const NormWeights found = norm_weights(in[0], in[1], in[2]);
    return Tensors{found.per_head, found.summed};
  };
  const Tensor a = random_weights({1, 2, 2, 3}, 1), v = normal({1, 2, 3, 2}, 2),
               out = normal({3, 4}, 3);
  CHECK(gradcheck("norm_weights", f, {a, v, out}).failure == "");

  Tensor hidden = masked_fill(a, tensor({true, false, false}), 0).set_requires_grad();
  Tensor none = zeros({1, 2, 3, 2}, kFloat64).set_requires_grad();
  sum(norm_weights(hidden, v, out).summed).backward();
  CHECK(std::isfinite(sum(hidden.grad()).item()));
  CHECK(sum(abs(slice(hidden.grad(), 3, 1))).item() > 0);
  sum(norm_weights(a, none, out).summed).backward();
  CHECK(max(abs(none.grad())).item() == 0);
}

TEST_CASE("lengths of tiny and of huge vectors lose no square") {
  for (const double scale : {1e-30, 1e30}) {
    const Tensor v = tensor({3.0, 4.0}) * scale;
    const NormWeights found = norm_weights(ones({1, 1, 1, 1}), reshape(v, {1, 1, 1, 2}), eye(2));
    CHECK(found.summed.item() / scale == Approx(5));
    CHECK(found.per_head.item() / scale == Approx(5));
  }
}

TEST_CASE("norm-based weights say what they expect") {
  CHECK(message_of([] {
          norm_weights(ones({1, 2, 3, 4}), ones({1, 2, 3, 4}), ones({8, 8}));
        }) ==
        "norm_weights: expected weights [B, H, Tq, Tk], values [B, H, Tk, Dv], out_weight "
        "[D, H Dv]; got [1, 2, 3, 4], [1, 2, 3, 4], [8, 8]");
  Attention attention(false);
  CHECK(message_of([&] {
          norm_weights(attention.layer, ones({4, 2, 5}), ones({2, 2, 3, 4}));
        }) == "norm_weights: expected value [Tk, B, 6]; got [4, 2, 5]");
  MultiheadAttention more({.embed_dim = 6, .num_heads = 2, .add_zero_attn = true}, Generator(1));
  CHECK(message_of([&] {
          norm_weights(more, ones({4, 2, 6}), ones({2, 2, 3, 5}));
        }) == "norm_weights: keys that add_bias_kv or add_zero_attn adds stand for no position");
}
