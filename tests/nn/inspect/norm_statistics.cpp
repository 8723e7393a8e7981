// Norms whose statistics are constants to the gradient, against closed forms.
#include <weft/autograd/autograd.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/norm_statistics.h>
#include <weft/nn/layer_norm.h>
#include <weft/nn/rms_norm.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kRows = 3, kWidth = 5;

template <class Norm>
void make_general(Norm& norm) {
  norm.to(kFloat64);
  uint64_t seed = 10;
  for (Tensor p : norm.parameters()) init::copy(p, normal(p.shape(), ++seed));
}

// dL/dx, dL/dweight, ... of something curved of norm(x).
template <class Norm>
Tensors gradients(Norm& norm, const Tensor& x) {
  Tensor in = x.detach().set_requires_grad();
  Tensors all = norm.parameters();
  all.insert(all.begin(), in);
  return grad(Tensors{sum(tanh(norm(in)) * normal({kRows, kWidth}, 3))}, all);
}

// dL/dy where y = norm(x).
Tensor dy_of(const Tensor& y) {
  const Tensor t = tanh(y.detach());
  return (1 - t * t) * normal({kRows, kWidth}, 3);
}

}  // namespace

TEST_CASE("the gradient of a LayerNorm with frozen statistics is that of a scaling") {
  for (const bool bias : {true, false}) {
    LayerNorm norm(kWidth, 1e-2, bias);
    make_general(norm);
    const Tensor x = normal({kRows, kWidth}, 1) * 3;
    const Tensor y = norm(x);
    const Tensors before = gradients(norm, x);
    HookHandle frozen = freeze_norm_statistics(norm);
    CHECK(largest_difference(norm(x), y) == 0);
    const Tensors after = gradients(norm, x);
    frozen.remove();

    for (int64_t r = 0; r < kRows; ++r) {
      double mean = 0, squares = 0;
      for (int64_t d = 0; d < kWidth; ++d) mean += x.at({r, d}) / kWidth;
      for (int64_t d = 0; d < kWidth; ++d)
        squares += (x.at({r, d}) - mean) * (x.at({r, d}) - mean) / kWidth;
      for (int64_t d = 0; d < kWidth; ++d) {
        const double expected =
            dy_of(y).at({r, d}) * norm.weight.at({d}) / std::sqrt(squares + 1e-2);
        CHECK(std::abs(after[0].at({r, d}) - expected) < kClose);
      }
    }
    CHECK(largest_difference(after[0], before[0]) > 0.01);
    for (size_t p = 1; p < before.size(); ++p)
      CHECK(largest_difference(after[p], before[p]) < kClose);
    CHECK(largest_difference(gradients(norm, x)[0], before[0]) == 0);
  }
}

TEST_CASE("the gradient of an RMSNorm with frozen statistics is that of a scaling") {
  for (const std::optional<double> eps : {std::optional<double>(), std::optional(0.5)}) {
    RMSNorm norm(kWidth, eps);
    make_general(norm);
    CHECK(norm.eps() == eps.value_or(std::numeric_limits<double>::epsilon()));
    const Tensor x = normal({kRows, kWidth}, 1) * 3, y = norm(x);
    HookHandle frozen = freeze_norm_statistics(norm);
    CHECK(largest_difference(norm(x), y) == 0);
    const Tensors after = gradients(norm, x);
    for (int64_t r = 0; r < kRows; ++r) {
      double squares = 0;
      for (int64_t d = 0; d < kWidth; ++d) squares += x.at({r, d}) * x.at({r, d}) / kWidth;
      for (int64_t d = 0; d < kWidth; ++d) {
        const double expected =
            dy_of(y).at({r, d}) * norm.weight.at({d}) / std::sqrt(squares + eps.value_or(0));
        CHECK(std::abs(after[0].at({r, d}) - expected) < kClose);
      }
    }
  }
}

// A norm without eps does not change when its input is scaled, so there is no slope along it.
TEST_CASE("input times gradient before a final norm sums to 0 unless its statistics are frozen") {
  TransformerEncoder encoder(
      {.d_model = 6, .nhead = 2, .dim_feedforward = 5, .layer_norm_eps = 0, .batch_first = true}, 1,
      Generator(1), true);
  encoder.to(kFloat64);
  encoder.eval();
  Tensor last;
  HookHandle watch = encoder.find_module("norm").register_forward_pre_hook(
      [&](ModuleCall& call) { last = *call.inputs[0]; });
  const Tensor source = normal({2, 3, 6}, 2);
  const auto sums = [&] {
    const Tensor y = encoder(source);
    const Tensor slope = grad(sum(tanh(y) * normal({2, 3, 6}, 3)), last);
    return sum(last.detach() * slope, {2});
  };
  CHECK(max(abs(sums())).item() < 1e-12);
  HookHandle frozen = freeze_norm_statistics(encoder);
  CHECK(min(abs(sums())).item() > 1e-3);
  frozen.remove();
  CHECK(max(abs(sums())).item() < 1e-12);
  CHECK(!encoder.find_module("layers.0.norm1").has_hooks());
}

TEST_CASE("frozen statistics need a norm") {
  Linear linear(2, 2, Generator(1));
  CHECK(message_of([&] { freeze_norm_statistics(linear); }) ==
        "freeze_norm_statistics: expected a LayerNorm or RMSNorm; got none");
}
