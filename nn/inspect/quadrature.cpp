#include <weft/core/detail/check.h>
#include <weft/nn/inspect/quadrature.h>

#include <cmath>
#include <numbers>
#include <utility>

namespace weft {
namespace {

struct Legendre {
  double value, slope;
};

// P_n(x) by (k + 1) P_{k+1} = (2k + 1) x P_k - k P_{k-1}, inside of (-1, 1).
Legendre legendre(int64_t n, double x) {
  double last = 0, value = 1;
  for (int64_t k = 0; k < n; ++k) {
    const auto d = static_cast<double>(k);
    last = std::exchange(value, ((2 * d + 1) * x * value - d * last) / (d + 1));
  }
  return {value, static_cast<double>(n) * (last - x * value) / (1 - x * x)};
}

// The i-th zero from above. The start is near enough for Newton's steps to end at rounding.
double zero_of(int64_t n, int64_t i) {
  const double angle = (static_cast<double>(i) + 0.75) / (static_cast<double>(n) + 0.5);
  double x = std::cos(std::numbers::pi * angle);
  constexpr int kSteps = 10;  // digits double with each
  for (int step = 0; step < kSteps; ++step) {
    const Legendre p = legendre(n, x);
    x -= p.value / p.slope;
  }
  return x;
}

}  // namespace

Quadrature gauss_legendre(int64_t points) {
  check(points >= 1, "gauss_legendre: expected at least 1 point; got {}", points);
  const auto n = static_cast<size_t>(points);
  Quadrature q{std::vector<double>(n), std::vector<double>(n)};
  for (size_t i = 0; i < (n + 1) / 2; ++i) {
    const bool middle = 2 * i + 1 == n;
    const double x = middle ? 0 : zero_of(points, static_cast<int64_t>(i));
    const double slope = legendre(points, x).slope;
    q.nodes[i] = -x;
    q.nodes[n - 1 - i] = x;
    q.weights[i] = q.weights[n - 1 - i] = 2 / ((1 - x * x) * slope * slope);
  }
  return q;
}

}  // namespace weft
