// What the tests of rows at the edges of floating types share: values, gradients (fused and
// composed) and second order against numbers that are known.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace weft::rows {

using Numbers = std::vector<double>;

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr DType kDTypes[] = {kFloat32, kFloat64};

inline double epsilon(DType dtype) {
  return dtype == kFloat32 ? static_cast<double>(std::numeric_limits<float>::epsilon())
                           : std::numeric_limits<double>::epsilon();
}

inline double lowest(DType dtype) {
  return dtype == kFloat32 ? static_cast<double>(std::numeric_limits<float>::lowest())
                           : std::numeric_limits<double>::lowest();
}

inline Numbers numbers(const Tensor& t) { return t.to_vector<double>(); }

inline Tensor row(const Numbers& v, DType dtype) {
  return to(from_vector(v, {static_cast<int64_t>(v.size())}), dtype);
}

// Equal to a few units in the last place of the largest, infinities and NaN by themselves.
inline void check_near(const Numbers& got, const Numbers& want, DType dtype, double ulps = 8) {
  CAPTURE(got, want, to_string(dtype));
  REQUIRE(got.size() == want.size());
  double size = 0;
  for (double v : want) size = std::isfinite(v) ? std::max(size, std::abs(v)) : size;
  for (size_t i = 0; i < got.size(); ++i)
    if (std::isfinite(want[i]))
      CHECK(std::abs(got[i] - want[i]) <= ulps * epsilon(dtype) * size);
    else
      CHECK((got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))));
}

using Function = std::function<Tensor(const Tensor&)>;

// The gradient of sum f(x), as training makes it (fused), and as a recorded function (composed).
inline void check_slope(const Function& f, const Tensor& x, const Numbers& want, double ulps = 8) {
  auto slope = [&](bool create_graph) {
    Tensor u = clone(x).set_requires_grad();
    return numbers(grad(sum(f(u)), u, {.create_graph = create_graph}));
  };
  check_near(slope(false), want, x.dtype(), ulps);
  check_near(slope(true), want, x.dtype(), ulps);
}

// The Hessian of sum f(x).
inline void check_curvature(const Function& f, const Tensor& x, const Numbers& want,
                            double ulps = 8) {
  check_near(numbers(hessian([&](const Tensor& u) { return sum(f(u)); }, x)), want, x.dtype(),
             ulps);
}

}  // namespace weft::rows
