// What the tests at the edges of floating types share: closed forms in long double, whose exponents
// are wide enough for every product on the way, and errors in units of the last place.
#pragma once

#include <fmt/format.h>
#include <weft/autograd/ops.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace weft::extremes {

using Wide = long double;
using Numbers = std::vector<double>;

inline constexpr double kInf = std::numeric_limits<double>::infinity();

// Stands for infinity: closed forms take their limits there, and every power of it is finite.
inline constexpr Wide kHuge = 1e1000L;

struct Limits {
  Wide epsilon, least, largest;
};

inline Limits limits_of(DType dtype) {
  if (dtype == kFloat64)
    return {std::numeric_limits<double>::epsilon(), std::numeric_limits<double>::denorm_min(),
            std::numeric_limits<double>::max()};
  return {std::numeric_limits<float>::epsilon(), std::numeric_limits<float>::denorm_min(),
          std::numeric_limits<float>::max()};
}

inline Wide rounded(Wide x, DType dtype) {
  return dtype == kFloat64 ? static_cast<Wide>(static_cast<double>(x))
                           : static_cast<Wide>(static_cast<float>(x));
}

// How far `got` is from `want`, in units of the type's last place, or of `least` times its least
// number if that is more. Infinite where one of them is NaN or infinite and the other is not.
inline double ulps(double got, Wide want, DType dtype, double least) {
  const Limits limits = limits_of(dtype);
  const Wide fit = rounded(want, dtype), found = static_cast<Wide>(got);
  if (std::isnan(fit) || std::isnan(got)) return std::isnan(fit) && std::isnan(got) ? 0 : kInf;
  if (std::isinf(fit) || std::isinf(got)) {
    const bool at_the_end = std::abs(want) > limits.largest * (1 - 64 * limits.epsilon) &&
                            std::abs(found) > limits.largest * (1 - 64 * limits.epsilon);
    return fit == found || (at_the_end && (fit > 0) == (got > 0)) ? 0 : kInf;
  }
  return static_cast<double>(std::abs(found - want) /
                             std::max(limits.epsilon * std::abs(want), limits.least * least));
}

// By order of derivative, the worst that a sweep found.
struct Worst {
  std::array<double, 3> by_order{};
  void note(int order, double error) {
    double& worst = by_order[static_cast<size_t>(order)];
    worst = std::max(worst, error);
  }
};

inline std::string row(const std::string& name, const Worst& single, const Worst& full) {
  std::string line = fmt::format("{:<42}", name);
  for (const Worst& w : {single, full})
    for (double error : w.by_order) line += fmt::format("{:7.1f}", error);
  return line + '\n';
}

inline Tensor leaf(const Numbers& numbers, DType dtype) {
  const auto n = static_cast<int64_t>(numbers.size());
  return to(from_vector(numbers, {n}), dtype).detach().set_requires_grad();
}

inline Wide sigmoid_at(Wide x) { return 1 / (1 + std::exp(-x)); }
inline Wide sigmoid_slope(Wide x) {
  const Wide e = std::exp(-std::abs(x));
  return e / ((1 + e) * (1 + e));
}
}  // namespace weft::extremes
