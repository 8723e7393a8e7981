#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/detail/subset_table.h>
#include <weft/nn/inspect/soft_faithfulness.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

constexpr const char* kDrawProbabilities = "draw_probabilities";

using Numbers = std::vector<double>;

// The smallest becomes 0, the largest 1.
Numbers in_unit_interval(Numbers x) {
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  const double scale = std::isfinite(*high - *low) ? 1 : 0.5;  // so that no difference overflows
  const double least = scale * *low, width = scale * *high - least;
  for (double& v : x) v = width > 0 ? (scale * v - least) / width : 0;
  return x;
}

double clipped_sum(const Numbers& x, double shift) {
  double sum = 0;
  for (const double v : x) sum += std::clamp(v + shift, 0., 1.);
  return sum;
}

// The shift at which clipped_sum() is `total`. It is linear between the shifts where some number
// reaches 0 or 1, grows from 0 at the first of them, and ends with the number of all.
double shift_for(const Numbers& x, double total) {
  Numbers knots;
  for (const double v : x) {
    knots.push_back(-v);
    knots.push_back(1 - v);
  }
  std::sort(knots.begin(), knots.end());
  size_t i = 1;
  while (i + 1 < knots.size() && clipped_sum(x, knots[i]) < total) ++i;
  const double low = clipped_sum(x, knots[i - 1]), high = clipped_sum(x, knots[i]);
  if (high <= low) return knots[i];
  return knots[i - 1] + (knots[i] - knots[i - 1]) * (total - low) / (high - low);
}

double drop(const Tensor& scores, const Tensor& keep) {
  const Tensor v = to(scores.detach(), kFloat64);
  return v.at({v.numel() - 1}) - expected_score(v, keep).item();
}

}  // namespace

Tensor expected_score(const Tensor& scores, const Tensor& keep) {
  const int64_t n = detail::units_of("expected_score", scores);
  check(keep.defined() && keep.shape() == Shape{n} && keep.dtype() == scores.dtype(),
        "expected_score: expected a probability for each of {} units, {} [{}]; got {}", n,
        to_string(scores.dtype()), n,
        keep.defined() ? fmt::format("{} {}", to_string(keep.dtype()), keep.shape())
                       : "an undefined tensor");
  Tensor left = scores;
  for (int64_t i = n - 1; i >= 0; --i) {  // unit i is the highest bit of what is left
    const Tensor halves = reshape(left, {2, int64_t{1} << i});
    const Tensor p = select(keep, 0, i);
    left = p * select(halves, 0, 1) + (1 - p) * select(halves, 0, 0);
  }
  return sum(left);
}

Tensor draw_probabilities(const Tensor& attributions, double rate) {
  check(attributions.defined() && attributions.dim() == 1 && attributions.numel() > 0,
        "{}: expected attributions [n] with n of at least 1; got {}", kDrawProbabilities,
        attributions.defined() ? to_string(attributions.shape()) : "an undefined tensor");
  check(rate >= 0 && rate <= 1, "{}: expected a rate in [0, 1]; got {}", kDrawProbabilities, rate);
  Numbers x = to(attributions.detach(), kFloat64).to_vector<double>();
  for (const double v : x)
    check(std::isfinite(v), "{}: expected finite numbers; got {}", kDrawProbabilities, v);
  x = in_unit_interval(std::move(x));
  const double shift = shift_for(x, rate * static_cast<double>(x.size()));
  for (double& v : x) v = std::clamp(v + shift, 0., 1.);
  return from_vector(x, attributions.shape());
}

double soft_comprehensiveness(const Tensor& scores, const Tensor& attributions, double rate) {
  return drop(scores, 1 - draw_probabilities(attributions, rate));
}

double soft_sufficiency(const Tensor& scores, const Tensor& attributions, double rate) {
  return drop(scores, draw_probabilities(attributions, rate));
}

}  // namespace weft
