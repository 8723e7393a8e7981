#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/rank_correlation.h>

#include <cmath>
#include <vector>

namespace weft {
namespace {

using Numbers = std::vector<double>;

Numbers numbers(const char* who, const Tensor& t) {
  Numbers values = to(t.detach(), kFloat64).to_vector<double>();
  for (const double v : values) check(!std::isnan(v), "{}: expected numbers to rank; got NaN", who);
  return values;
}

void check_pair(const char* who, const Tensor& a, const Tensor& b) {
  check(a.defined() && b.defined(), "{}: a tensor is undefined", who);
  check(a.dim() == 1 && a.shape() == b.shape() && a.numel() >= 2,
        "{}: expected two tensors [n] with n of at least 2; got {} and {}", who, a.shape(),
        b.shape());
}

int sign(double x) { return (x > 0) - (x < 0); }

// Twice the rank less n + 1, so that they sum to 0: how many are smaller, less how many are larger.
Numbers centred_ranks(const Numbers& values) {
  Numbers ranks(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    for (const double other : values) ranks[i] += sign(values[i] - other);
  return ranks;
}

}  // namespace

double spearman(const Tensor& a, const Tensor& b) {
  check_pair("spearman", a, b);
  const Numbers x = centred_ranks(numbers("spearman", a)),
                y = centred_ranks(numbers("spearman", b));
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += x[i] * y[i];
    xx += x[i] * x[i];
    yy += y[i] * y[i];
  }
  return xy / std::sqrt(xx * yy);
}

double kendall(const Tensor& a, const Tensor& b) {
  check_pair("kendall", a, b);
  const Numbers x = numbers("kendall", a), y = numbers("kendall", b);
  double agreement = 0, untied_x = 0, untied_y = 0;
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const int dx = sign(x[i] - x[j]), dy = sign(y[i] - y[j]);
      agreement += dx * dy;
      untied_x += dx * dx;
      untied_y += dy * dy;
    }
  return agreement / std::sqrt(untied_x * untied_y);
}

}  // namespace weft
