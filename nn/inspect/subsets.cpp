#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/detail/subset_table.h>
#include <weft/nn/inspect/subsets.h>

#include <algorithm>
#include <bit>

namespace weft {
namespace detail {

int64_t units_of(const char* who, const Tensor& scores) {
  check(scores.defined(), "{}: the scores are undefined", who);
  const auto size = static_cast<uint64_t>(scores.numel());
  check(scores.dim() == 1 && std::has_single_bit(size) && size > 1 && is_floating(scores.dtype()),
        "{}: expected the scores of all subsets, floating [2^n] with n of at least 1; got {} {}",
        who, to_string(scores.dtype()), scores.shape());
  return std::countr_zero(size);
}

void check_scores(const char* who, const Tensor& scores, int64_t rows) {
  check(scores.defined(), "{}: the score is undefined", who);
  check(scores.shape() == Shape{rows} && is_floating(scores.dtype()),
        "{}: expected a score for each of {} rows, floating [{}]; got {} {}", who, rows, rows,
        to_string(scores.dtype()), scores.shape());
}

}  // namespace detail

namespace {

// Bit i of the entries begin .. end - 1 -> bool [end - begin, n].
Tensor bits(int64_t begin, int64_t end, int64_t n) {
  Tensor keep({end - begin, n}, kBool);
  bool* out = keep.mutable_data<bool>("subset_scores");
  for (int64_t s = begin; s < end; ++s)
    for (int64_t i = 0; i < n; ++i) *out++ = (s >> i & 1) != 0;
  return keep;
}

// |S|! (n - |S| - 1)! / n! for every S of the n - 1 other units: 1 / (n binomial(n - 1, |S|)).
Tensor shares(int64_t n, DType dtype) {
  std::vector<double> by_size(static_cast<size_t>(n), 1 / static_cast<double>(n));
  for (int64_t s = 1; s < n; ++s)
    by_size[static_cast<size_t>(s)] =
        by_size[static_cast<size_t>(s - 1)] * static_cast<double>(s) / static_cast<double>(n - s);
  std::vector<double> w(size_t{1} << (n - 1));
  for (size_t s = 0; s < w.size(); ++s) w[s] = by_size[static_cast<size_t>(std::popcount(s))];
  return to(from_vector(w, {std::ssize(w)}), dtype);
}

}  // namespace

Tensor leave_one_out(const SubsetScore& score, int64_t units) {
  check(units >= 1, "leave_one_out: expected at least 1 unit; got {}", units);
  const Tensor all_but_one = logical_not(to(eye(units), kBool));
  const Tensor scores = score(cat({full({1, units}, 1, kBool), all_but_one}, 0));
  detail::check_scores("leave_one_out", scores, units + 1);
  return slice(scores, 0, 0, 1) - slice(scores, 0, 1);
}

Tensor subset_scores(const SubsetScore& score, int64_t units, int64_t rows) {
  check(units >= 1 && units <= kMostUnits && rows >= 1,
        "subset_scores: expected 1 to {} units and at least 1 row a call; got {} and {}",
        kMostUnits, units, rows);
  Tensors parts;
  const int64_t count = int64_t{1} << units;
  for (int64_t begin = 0; begin < count; begin += rows) {
    const int64_t end = std::min(count, begin + rows);
    parts.push_back(score(bits(begin, end, units)));
    detail::check_scores("subset_scores", parts.back(), end - begin);
  }
  return cat(parts, 0);
}

Tensor shapley_values(const Tensor& scores) {
  const int64_t n = detail::units_of("shapley_values", scores);
  const Tensor w = shares(n, scores.dtype());
  Tensors values;
  for (int64_t i = 0; i < n; ++i) {  // bit i as a dim of its own: the others keep their order
    const Tensor t = reshape(scores, {int64_t{1} << (n - 1 - i), 2, int64_t{1} << i});
    values.push_back(sum(w * reshape(select(t, 1, 1) - select(t, 1, 0), {-1})));
  }
  return stack(values, 0);
}

}  // namespace weft
