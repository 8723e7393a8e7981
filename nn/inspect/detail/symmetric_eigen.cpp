#include <weft/nn/inspect/detail/symmetric_eigen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::detail {
namespace {

using Matrix = std::vector<std::vector<double>>;

struct Rotation {
  double c, s;
  void apply(double& x, double& y) const {
    const double old = x;
    x = c * old - s * y;
    y = s * old + c * y;
  }
};

// The smaller of the two angles that set a_pq to 0.
Rotation zeroing(const Matrix& a, size_t p, size_t q) {
  const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const double t = std::copysign(1, theta) / (std::abs(theta) + std::hypot(theta, 1));
  const double c = 1 / std::hypot(t, 1);
  return {c, t * c};
}

// Rotates away all that is not lost beside its diagonal elements; whether there was any.
bool sweep(Matrix& a, std::vector<double>& last) {
  bool any = false;
  for (size_t p = 0; p < a.size(); ++p)
    for (size_t q = p + 1; q < a.size(); ++q) {
      const double beside = std::abs(a[p][p]) + std::abs(a[q][q]);
      if (beside + std::abs(a[p][q]) == beside) continue;
      any = true;
      const Rotation r = zeroing(a, p, q);
      for (auto& row : a) r.apply(row[p], row[q]);
      for (size_t k = 0; k < a.size(); ++k) r.apply(a[p][k], a[q][k]);
      a[p][q] = a[q][p] = 0;
      r.apply(last[p], last[q]);
    }
  return any;
}

}  // namespace

SymmetricEigen symmetric_eigen(Matrix a) {
  std::vector<double> last(a.size());
  if (!last.empty()) last.back() = 1;
  constexpr int kMostSweeps = 60;  // digits double with each once there are some
  for (int i = 0; i < kMostSweeps && sweep(a, last); ++i) {
  }
  std::vector<size_t> order(a.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return a[i][i] > a[j][j]; });
  SymmetricEigen found;
  for (const size_t i : order) {
    found.values.push_back(a[i][i]);
    found.last.push_back(std::abs(last[i]));
  }
  return found;
}

}  // namespace weft::detail
