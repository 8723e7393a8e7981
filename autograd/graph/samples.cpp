#include <weft/autograd/graph/samples.h>

#include <algorithm>
#include <cmath>

namespace weft {

Tensor Samples::normal(const Shape& shape) { return randn(shape, generator_, kFloat64); }

Tensor Samples::uniform(const Shape& shape, double lo, double hi) {
  Tensor t(shape, kFloat64);
  std::generate_n(t.mutable_data<double>(), t.numel(),
                  [&] { return generator_.uniform<double>(lo, hi); });
  return t;
}

Tensor Samples::away_from(const Shape& shape, std::initializer_list<double> kinks, double gap) {
  Tensor t = normal(shape);
  double* p = t.mutable_data<double>();
  auto near = [&](double v) {
    return std::any_of(kinks.begin(), kinks.end(), [&](double k) { return std::abs(v - k) < gap; });
  };
  std::for_each_n(p, t.numel(), [&](double& v) {
    while (near(v)) v = generator_.normal();
  });
  return t;
}

Tensor Samples::distinct(const Shape& shape) {
  Tensor t(shape, kFloat64);
  double* p = t.mutable_data<double>();
  const int64_t n = t.numel(), middle = n / 2;
  for (int64_t i = 0; i < n; ++i) p[i] = 0.1 * static_cast<double>(i - middle) + 0.03;
  for (int64_t i = n - 1; i > 0; --i) std::swap(p[i], p[generator_.below(i + 1)]);
  return t;
}

Tensor Samples::integers(const Shape& shape, int64_t n) { return randint(n, shape, generator_); }

Tensor Samples::booleans(const Shape& shape, double p) {
  Tensor t(shape, kBool);
  std::generate_n(t.mutable_data<bool>(), t.numel(), [&] { return generator_.uniform() < p; });
  return t;
}

Tensor Samples::transposed(const Shape& shape) {
  Shape stored = shape;
  const int last = shape.rank() - 1;
  std::swap(stored[last], stored[last - 1]);
  const Tensor t = normal(stored);
  Shape strides = t.strides();
  std::swap(strides[last], strides[last - 1]);
  return t.strided_view(shape, strides);
}

}  // namespace weft
