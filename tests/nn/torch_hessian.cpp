// A Hessian through attention as PyTorch's.
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/tests/catch.h>
#include <weft/tests/places.h>

using namespace weft;

TEST_CASE("the Hessian of a cross-attention loss equals PyTorch's, and finite differences") {
  const SafetensorsFile file = load_safetensors(test_data("attention_hessian.safetensors"));
  MultiheadAttention attention({.embed_dim = 4, .num_heads = 2, .batch_first = true}, Generator(1));
  attention.to(kFloat64);
  attention.load_state_dict(
      load_safetensors(test_data("attention_hessian.safetensors"), "param.").tensors);

  const Tensor query = file.at("input.query"), memory = file.at("input.memory"),
               target = file.at("input.target"), expected = file.at("output.hessian");
  auto losses = [&](const Tensor& q) {  // [B, 8, 4] -> [B]
    const Tensor keys = expand(memory, {q.size(0), -1, -1});
    return sum(pow(attention(q, keys, keys).output - target, 2), {1, 2}) * 0.5;
  };
  auto loss = [&](const Tensor& q) { return sum(losses(q)); };
  CHECK(loss(query).item() == Approx(file.at("output.loss").item()).epsilon(1e-13));

  const Tensor h = hessian(loss, query);  // [1, 8, 4, 1, 8, 4]
  REQUIRE(h.shape() == expected.shape());
  CHECK(max(abs(h - expected)).item() < 1e-10);
  NoGrad no_grad;
  const Tensor at_once = hessian(losses, query, {.batched = true, .chunk_size = 32});
  CHECK(max(abs(reshape(at_once, expected.shape()) - expected)).item() < 1e-10);

  constexpr double kStep = 1e-5;
  for (int64_t i = 0; i < query.numel(); ++i) {
    auto slope = [&](double step) {
      Tensor moved = clone(query);
      moved.mutable_data<double>()[i] += step;
      return value_and_grad(loss, {moved}).gradients[0];
    };
    const Tensor row = reshape((slope(kStep) - slope(-kStep)) / (2 * kStep), {-1});
    CHECK(max(abs(row - reshape(select(reshape(h, {32, 32}), 0, i), {-1}))).item() < 1e-6);
  }
}
