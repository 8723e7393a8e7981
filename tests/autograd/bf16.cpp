// What products of operands rounded to bfloat16 do to gradients.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/core/blas.h>
#include <weft/core/cpu.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace weft;

namespace {

// Says so where the rest of a test has nothing to look at.
bool without_bf16() {
  if (!cpu_has_bf16()) WARN("skipped: this CPU has no dot products of bfloat16");
  return !cpu_has_bf16();
}

constexpr int64_t kRows = 300, kIn = 96, kOut = 128;

struct Layer {
  Tensor x, weight, dy;
};

Layer layer() {
  Generator generator(1);
  return {randn({kRows, kIn}, generator), randn({kOut, kIn}, generator),
          randn({kRows, kOut}, generator)};
}

/// The result of a linear layer and its gradients by x and weight.
Tensors pass(const Layer& l) {
  const auto f = [](const Tensors& in) { return Tensors{linear(in[0], in[1])}; };
  Tensors all = f({l.x, l.weight});
  for (const Tensor& gradient : vjp(f, {l.x, l.weight}, {l.dy})) all.push_back(gradient);
  return all;
}

template <class F>
Layer each(const Layer& l, F f) {
  return {f(l.x), f(l.weight), f(l.dy)};
}

}  // namespace

TEST_CASE("bf16: a linear layer and its gradients are off by the rounding of operands alone") {
  if (without_bf16()) return;
  const Layer l = layer();
  const Layer exact = each(l, [](const Tensor& t) { return to(t, kFloat64); });
  const Tensors want = pass(exact),
                sizes = pass(each(exact, [](const Tensor&t) { return abs(t); }));
  set_float32_matmul_precision(MatmulPrecision::bf16);
  const Tensors got = pass(l);
  set_float32_matmul_precision(MatmulPrecision::float32);
  const int64_t depths[] = {kIn, kOut, kRows};
  // Each operand is off by a factor of at most 1 + 2^-9 (half a unit in the last of 8 bits).
  const double rounding = std::pow(1 + 0x1p-9, 2) - 1;
  for (size_t i = 0; i < 3; ++i) {
    const auto a = got[i].to_vector<double>(), b = want[i].to_vector<double>(),
               size = sizes[i].to_vector<double>();
    const double sums = static_cast<double>(depths[i] + 4) * 0x1p-24;
    double worst = 0;
    for (size_t j = 0; j < a.size(); ++j)
      worst = std::max(worst, std::abs(a[j] - b[j]) / (size[j] * (rounding + sums)));
    CAPTURE(i, worst);
    CHECK(worst <= 1);
    CHECK(worst > 0.01);  // rounded they were
  }
}
