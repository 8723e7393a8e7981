// Linear attention where features underflow or overflow, against its quadratic form in long double.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention/linear_attention.h>
#include <weft/nn/init.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <memory>

using namespace weft;
using Numbers = std::vector<double>;

namespace {

// Projections that pass their input on.
std::unique_ptr<LinearAttention> identity(DType dtype) {
  auto attention = std::make_unique<LinearAttention>(2, 1, Generator(1));
  for (const NamedTensor& p : attention->named_parameters())
    init::copy(p.tensor, p.tensor.dim() == 2 ? tensor({{1.0, 0.0}, {0.0, 1.0}}) : zeros({2}));
  attention->to(dtype);
  return attention;
}

long double log_feature(double x) {
  return x > 0 ? std::log1p(static_cast<long double>(x)) : static_cast<long double>(x);
}

// y [T, 2] for q, k, v [T, 2].
Numbers quadratic(const Numbers& q, const Numbers& k, const Numbers& v, bool causal) {
  const size_t length = q.size() / 2;
  Numbers y(q.size());
  for (size_t i = 0; i < length; ++i) {
    long double total = 0, sums[2] = {};
    for (size_t j = 0; j < (causal ? i + 1 : length); ++j)
      for (size_t d = 0; d < 2; ++d) {
        const long double weight = std::exp(log_feature(q[2 * i + d]) + log_feature(k[2 * j + d]));
        total += weight;
        for (size_t c = 0; c < 2; ++c) sums[c] += weight * static_cast<long double>(v[2 * j + c]);
      }
    for (size_t c = 0; c < 2; ++c) y[2 * i + c] = static_cast<double>(sums[c] / total);
  }
  return y;
}

Tensor rows(const Numbers& x, DType dtype) {
  return to(from_vector(x, {1, static_cast<int64_t>(x.size() / 2), 2}), dtype).detach();
}

}  // namespace

TEST_CASE("linear attention is right where all features are tiny or huge") {
  const Numbers ordinary{0.5, -1, 2, -0.25, -3, 1}, tiny{-800, -801, -799, -802, -800.5, -800};
  const Numbers far{-900, -700, -10, 3, -850, 1e3}, back{2, 1, -800, -900, -850, -200};
  const Numbers huge{1e25, 3e25, -1e25, 1, 2e24, 1e30}, v{1, -2, 0.5, 3, -1, 0.25};
  for (DType dtype : {kFloat32, kFloat64})
    for (bool causal : {false, true})
      for (const Numbers& q : {ordinary, tiny, far, back, huge})
        for (const Numbers& k : {ordinary, tiny, far, back, huge}) {
          const auto attention = identity(dtype);
          const Tensor values = rows(v, dtype).set_requires_grad();
          const Tensor query = rows(q, dtype).set_requires_grad();
          const Tensor key = rows(k, dtype).set_requires_grad();
          const Tensor y = (*attention)(query, key, values, causal ? Mask::causal() : Mask());
          const Numbers found = y.to_vector<double>(), right = quadratic(q, k, v, causal);
          CAPTURE(to_string(dtype), causal, q, k);
          for (size_t i = 0; i < right.size(); ++i)
            CHECK(found[i] == Approx(right[i]).margin(dtype == kFloat64 ? 1e-10 : 2e-4));
          for (const Tensor& g : grad({sum(y)}, {query, key, values}))
            for (double slope : g.to_vector<double>()) CHECK(std::isfinite(slope));
        }
}

TEST_CASE("the gradient of linear attention does not depend on the size of all features") {
  // Features e^x: a number added to all of x changes neither the result nor its slopes.
  const Numbers x{-1, -2, -0.5, -3, -2.5, -1.5}, v{1, -2, 0.5, 3, -1, 0.25};
  for (bool causal : {false, true}) {
    const auto slopes = [&](double shift) {
      const auto attention = identity(kFloat64);
      const Tensor q = (rows(x, kFloat64) + shift).detach().set_requires_grad();
      const Tensor k = (rows(x, kFloat64) + shift).detach().set_requires_grad();
      const Tensor y = (*attention)(q, k, rows(v, kFloat64), causal ? Mask::causal() : Mask());
      const Tensors first = grad({sum(y * y)}, {q, k}, {{}, true, true});
      const Tensors second = grad({sum(first[0] * first[0]) + sum(first[1])}, {q, k});
      Numbers all;
      for (const Tensor& g : {first[0], first[1], second[0], second[1]})
        for (double slope : g.to_vector<double>()) all.push_back(slope);
      return all;
    };
    const Numbers near = slopes(0), far = slopes(-900);
    for (size_t i = 0; i < near.size(); ++i) CHECK(far[i] == Approx(near[i]).margin(1e-10));
  }
}

TEST_CASE("causal linear attention passes over forbidden first keys") {
  const auto attention = identity(kFloat64);
  const Tensor x = rows({5, 5, -800, -801, -700, -750}, kFloat64);
  const Tensor v = rows({1, 2, 3, 4, 5, 6}, kFloat64);
  const Mask mask = Mask::causal() & Mask::may_attend(tensor({{false, true, true}}));
  const Tensor y = (*attention)(x, x, v, mask);
  CHECK(y.at({0, 0, 0}) == 0);
  CHECK(y.at({0, 1, 0}) == Approx(3));
  CHECK(y.at({0, 2, 1}) == Approx(6));
}
