#include <fmt/ranges.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/detail/subset_table.h>
#include <weft/nn/inspect/faithfulness.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace weft {
namespace {

using Order = std::vector<int64_t>;

void check_order(const char* who, const Order& order, int64_t units) {
  std::vector<bool> seen(static_cast<size_t>(units));
  bool fits = std::ssize(order) == units;
  for (const int64_t i : order) {
    fits = fits && i >= 0 && i < units && !seen[static_cast<size_t>(i)];
    if (fits) seen[static_cast<size_t>(i)] = true;
  }
  check(fits, "{}: expected an order of {} units, 0 to {} once each; got [{}]", who, units,
        units - 1, fmt::join(order, ", "));
}

// score(all) - score with the first k units in the state `first`, the others in the other one.
Tensor drops(const char* who, const SubsetScore& score, const Order& order, const Order& counts,
             bool first) {
  const int64_t n = std::ssize(order), rows = std::ssize(counts) + 1;
  check(n >= 1, "{}: expected at least 1 unit; got none", who);
  check_order(who, order, n);
  Tensor keep({rows, n}, kBool);
  bool* row = keep.mutable_data<bool>(who);
  std::fill(row, row + n, true);
  for (const int64_t k : counts) {
    check(k >= 0 && k <= n, "{}: expected counts in [0, {}]; got {}", who, n, k);
    row += n;
    for (int64_t i = 0; i < n; ++i) row[order[static_cast<size_t>(i)]] = (i < k) == first;
  }
  const Tensor scores = score(keep);
  detail::check_scores(who, scores, rows);
  return slice(scores, 0, 0, 1) - slice(scores, 0, 1);
}

std::vector<double> numbers(const Tensor& scores) {
  return to(scores.detach(), kFloat64).to_vector<double>();
}

// The order of taking units out, one by one from all of them, whose scores on the way have the
// smallest sum; with `sign` -1 the largest.
Order extreme_order(const std::vector<double>& scores, int64_t units, double sign) {
  const size_t all = scores.size() - 1;
  std::vector<double> rest(scores.size());  // of the scores below a subset, the best sum
  std::vector<int64_t> next(scores.size());
  for (size_t s = 1; s <= all; ++s) {  // a subset has a smaller number than what it is part of
    rest[s] = std::numeric_limits<double>::infinity();
    for (int64_t i = 0; i < units; ++i) {
      if ((s >> i & 1) == 0) continue;
      const size_t without = s & ~(size_t{1} << i);
      const double total = sign * scores[without] + rest[without];
      if (total >= rest[s]) continue;
      rest[s] = total;
      next[s] = i;
    }
  }
  Order order;
  for (size_t s = all; s != 0; s &= ~(size_t{1} << next[s])) order.push_back(next[s]);
  return order;
}

double mean_drop(const std::vector<double>& scores, const Order& order) {
  size_t kept = scores.size() - 1;
  double total = 0;
  for (const int64_t i : order) {
    kept &= ~(size_t{1} << i);
    total += scores.back() - scores[kept];
  }
  return total / static_cast<double>(order.size());
}

}  // namespace

std::vector<int64_t> descending(const Tensor& attributions) {
  check(attributions.defined() && attributions.dim() == 1,
        "descending: expected attributions [n]; got {}",
        attributions.defined() ? to_string(attributions.shape()) : "an undefined tensor");
  const std::vector<double> values = numbers(attributions);
  check(std::none_of(values.begin(), values.end(), [](double v) { return std::isnan(v); }),
        "descending: expected numbers; got [{}]", fmt::join(values, ", "));
  Order order(values.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
  });
  return order;
}

Tensor comprehensiveness(const SubsetScore& score, const Order& order, const Order& counts) {
  return drops("comprehensiveness", score, order, counts, false);
}

Tensor sufficiency(const SubsetScore& score, const Order& order, const Order& counts) {
  return drops("sufficiency", score, order, counts, true);
}

double aopc(const Tensor& scores, const Order& order) {
  check_order("aopc", order, detail::units_of("aopc", scores));
  return mean_drop(numbers(scores), order);
}

AopcLimits aopc_limits(const Tensor& scores) {
  const int64_t units = detail::units_of("aopc_limits", scores);
  const std::vector<double> v = numbers(scores);
  check(std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); }),
        "aopc_limits: the scores must be finite");
  const Order best = extreme_order(v, units, 1), worst = extreme_order(v, units, -1);
  return {mean_drop(v, worst), mean_drop(v, best), worst, best};
}

double normalized_aopc(const Tensor& scores, const Order& order) {
  const AopcLimits limits = aopc_limits(scores);
  return (aopc(scores, order) - limits.lower) / (limits.upper - limits.lower);
}

}  // namespace weft
