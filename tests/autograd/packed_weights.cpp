// Weights that stay packed between calls: the same bits, and never those of another weight.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/packed_weights.h>
#include <weft/core/allocator.h>
#include <weft/core/blas.h>
#include <weft/tests/catch.h>

#include <cstring>
#include <optional>

using namespace weft;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<float>(), y = b.to_vector<float>();
  return a.shape() == b.shape() &&
         (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0);
}

// By gemm itself, which knows nothing of weights that are kept.
Tensor plain(const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const NoGrad no_grad;
  const Tensor x = contiguous(input), w = contiguous(weight);
  Tensor y({x.size(0), w.size(0)});
  const int64_t m = x.size(0), n = w.size(0), k = w.size(1);
  auto wanted = [](int64_t, int64_t) {};  // BLAS has other bits where rows are
  gemm<float>(false, true, m, n, k, 1, x.data<float>(), k, w.data<float>(), k, 0,
              y.mutable_data<float>(), n, bias.defined() ? RowEpilogue(wanted) : RowEpilogue());
  return bias.defined() ? y + bias : y;
}

}  // namespace

TEST_CASE("products by weights that stay packed have the same bits", "[packed]") {
  Generator gen(1);
  const int64_t out = GENERATE(3, 64, 300), in = GENERATE(1, 40, 300);
  const Tensor w = randn({out, in}, gen), bias = randn({out}, gen);
  const NoGrad no_grad;
  std::optional<IndependentRows> ours;
  if (GENERATE(false, true)) ours.emplace();
  const PackedWeights scope;
  for (const int64_t rows : {0, 1, 5, 70, 300}) {
    const Tensor x = randn({rows, in}, gen);
    CAPTURE(out, in, rows);
    CHECK(same_bits(linear(x, w, bias), plain(x, w, bias)));
    const PackedWeights inner;
    const ActivationOptions relu{LinearActivation::relu};
    const Tensor active = linear_activation(x, w, bias, relu);
    CHECK(same_bits(active, weft::relu(plain(x, w, bias))));
  }
}

TEST_CASE("a weight that is written to is packed again, and a part of it is another") {
  Generator gen(2);
  const NoGrad no_grad;
  const PackedWeights scope;
  Tensor w = randn({192, 50}, gen);
  const Tensor x = randn({4, 50}, gen);
  for (int i = 0; i < 3; ++i) {
    CHECK(same_bits(linear(x, w), plain(x, w, {})));
    const Tensor first = slice(w, 0, 0, 64);  // begins where w does
    CHECK(same_bits(linear(x, first), plain(x, first, {})));
    w.mutable_data<float>()[7] += 1;
  }
  w.set_data(randn({192, 50}, gen));
  CHECK(same_bits(linear(x, w), plain(x, w, {})));
  const Tensor turned = transpose(randn({50, 192}, gen), 0, 1);
  CHECK(same_bits(linear(x, turned), plain(x, turned, {})));
}

TEST_CASE("weights of a moment are let go, and what follows at their place is not taken for them") {
  Generator gen(3);
  const NoGrad no_grad;
  const PackedWeights scope;
  const Tensor x = randn({4, 50}, gen);
  size_t in_use = 0;
  for (int i = 0; i < 50; ++i) {
    const Tensor w = randn({256, 50}, gen);
    CHECK(same_bits(linear(x, w), plain(x, w, {})));
    if (i == 2) in_use = allocator_stats().bytes_in_use;
    if (i > 2) CHECK(allocator_stats().bytes_in_use == in_use);
  }
}

TEST_CASE("no weight stays packed without a scope, of float64, or without elements") {
  Generator gen(4);
  const Tensor weight = randn({64, 64}, gen);
  CHECK(PackedWeights::find<float>(weight) == nullptr);
  const PackedWeights scope;
  CHECK(PackedWeights::find<float>(weight) != nullptr);
  CHECK(PackedWeights::find<double>(to(weight, kFloat64)) == nullptr);
  CHECK(PackedWeights::find<float>(zeros({0, 64})) == nullptr);
}
