// What is known in closed form of the gradients of attention: O = A V, A = softmax(S),
// S = scale Q K^T. On the fused path and on the one that returns weights. "To rounding" is where a
// row of A sums to 1 only to rounding.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/init.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kQueries = 3, kKeys = 5, kWidth = 8, kHeads = 2;
constexpr double kRounding = 1e-14;

double largest(const Tensor& t) { return max(abs(t.detach())).item(); }

struct Fixture {
  explicit Fixture(AttentionWeights path) : form(path) {
    attention.to(kFloat64);
    init::copy(attention.in_proj_bias, normal({3 * kWidth}, 7));
  }

  // Backward from a random gradient of the output.
  AttentionResult backward(const Tensor& key, const Tensor& value) {
    AttentionResult r = attention(normal({kBatch, kQueries, kWidth}, 2), key, value,
                                  AttentionCall{.weights = form});
    if (r.weights.defined()) r.weights.retain_grad();
    sum(r.output * normal({kBatch, kQueries, kWidth}, 4)).backward();
    return r;
  }

  // Gradients of the projections of queries (0), keys (1) and values (2).
  Tensor weight_gradient(int64_t part) const {
    return slice(attention.in_proj_weight.grad(), 0, part * kWidth, (part + 1) * kWidth);
  }
  Tensor bias_gradient(int64_t part) const {
    return slice(attention.in_proj_bias.grad(), 0, part * kWidth, (part + 1) * kWidth);
  }

  MultiheadAttention attention{{.embed_dim = kWidth, .num_heads = kHeads, .batch_first = true},
                               Generator(1)};
  AttentionWeights form;
  Tensor memory = normal({kBatch, kKeys, kWidth}, 3);
};

const auto kPaths = {AttentionWeights::none, AttentionWeights::per_head};

}  // namespace

TEST_CASE("gradients of scores are A (dA - sum A dA), and sum to 0 in each row, to rounding") {
  Fixture f(AttentionWeights::per_head);
  const Intermediates seen({"scores"});
  const AttentionResult r = f.backward(f.memory, f.memory);
  const Tensor ds = seen["scores"].grad(), a = r.weights.detach(), da = r.weights.grad();
  CHECK(largest(ds - a * (da - sum(a * da, {-1}, true))) < kRounding);
  CHECK(largest(sum(ds, {-1})) < kRounding);
  CHECK(largest(ds) > 0.01);
}

TEST_CASE("the bias of the keys has gradient 0, to rounding: it moves all scores of a row alike") {
  for (const AttentionWeights path : kPaths) {
    Fixture f(path);
    f.backward(f.memory, f.memory);
    CHECK(largest(f.bias_gradient(1)) < kRounding);
    CHECK(largest(f.bias_gradient(0)) > 0.01);
    CHECK(largest(f.bias_gradient(2)) > 0.01);
  }
}

TEST_CASE("where all values are the same, queries and keys have gradient 0, to rounding") {
  for (const AttentionWeights path : kPaths) {
    Fixture f(path);
    const Tensor same = expand(normal({kBatch, 1, kWidth}, 5), {kBatch, kKeys, kWidth});
    f.backward(f.memory, same);
    for (const int64_t part : {0, 1}) {
      CHECK(largest(f.weight_gradient(part)) < kRounding);
      CHECK(largest(f.bias_gradient(part)) < kRounding);
    }
    CHECK(largest(f.weight_gradient(2)) > 0.01);
  }
}

// Step by step dA - sum A dA is dA - dA; the fused path takes the sum as dO . O, rounded otherwise.
TEST_CASE("where there is one key, queries and keys have gradient 0: exactly, fused to rounding") {
  for (const AttentionWeights path : kPaths) {
    Fixture f(path);
    const Tensor one = normal({kBatch, 1, kWidth}, 5);
    f.backward(one, one);
    const double allowed = path == AttentionWeights::none ? kRounding : 0;
    for (const int64_t part : {0, 1}) CHECK(largest(f.weight_gradient(part)) <= allowed);
    CHECK(largest(f.weight_gradient(2)) > 0.01);
  }
}

TEST_CASE("the gradient of a row of weights is dO V^T, and the bias of values gets all of dO") {
  Fixture f(AttentionWeights::per_head);
  const AttentionResult r = f.backward(f.memory, f.memory);
  const Tensor d_heads = matmul(normal({kBatch, kQueries, kWidth}, 4),
                                f.attention.find("out_proj.weight").detach());  // [B, Tq, D]
  const auto by_head = [](const Tensor& x) {
    return permute(reshape(x, {x.size(0), x.size(1), kHeads, kWidth / kHeads}), {0, 2, 1, 3});
  };
  const Tensor values = linear(f.memory, slice(f.attention.in_proj_weight.detach(), 0, 2 * kWidth),
                               slice(f.attention.in_proj_bias.detach(), 0, 2 * kWidth));
  CHECK(largest(r.weights.grad() - matmul(by_head(d_heads), transpose(by_head(values), -2, -1))) <
        kRounding * 10);
  CHECK(largest(f.bias_gradient(2) - sum(d_heads, {0, 1})) < kRounding * 10);
}
