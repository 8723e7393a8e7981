#include <weft/autograd/ops/detail/class_targets.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

// Class weights over the sum of those of the rows that count, float64; zeros if that sum is 0. The
// largest of them is the unit: the sum itself may overflow, and 1 over it.
Tensor shares_of(const Tensor& weight, const Tensor& rows) {
  std::vector<double> w = weight.to_vector<double>();
  const auto target = rows.to_vector<int64_t>();
  auto for_each_row = [&](auto f) {
    for (int64_t t : target)
      if (t >= 0) f(w[static_cast<size_t>(t)]);
  };
  double unit = 0, total = 0;
  for_each_row([&](double v) { unit = std::max(unit, std::abs(v)); });
  if (unit > 0) for_each_row([&](double v) { total += v / unit; });
  for (double& v : w) v = total == 0 ? 0 : v / unit / total;
  return from_vector(w, weight.shape());
}

}  // namespace

ClassTargets class_targets(const char* who, const Shape& batch, int64_t classes, DType dtype,
                           const Tensor& target, const CrossEntropyOptions& options) {
  const OpScope inside;
  check(target.defined(), "{}: the targets are undefined", who);
  check(target.dtype() == kInt64, "{}: targets must be int64; got {}", who,
        to_string(target.dtype()));
  check(target.shape() == batch, "{}: expected targets of shape {}; got {}", who, batch,
        target.shape());
  check(options.label_smoothing >= 0 && options.label_smoothing <= 1,
        "{}: label_smoothing must be in [0, 1]; got {}", who, options.label_smoothing);
  const Tensor& w = options.weight;
  check(!w.defined() || w.shape() == Shape{classes}, "{}: weight must be [{}]; got {}", who,
        classes, w.defined() ? w.shape() : Shape());
  ClassTargets t{reshape(clone(target), {-1}), {}, target.shape()};
  int64_t* row = t.rows.mutable_data<int64_t>();
  int64_t counted = 0;
  for (int64_t i = 0; i < t.rows.numel(); ++i) {
    const bool counts = row[i] != options.ignore_index;
    check(!counts || (row[i] >= 0 && row[i] < classes),
          "{}: targets must be in [0, {}) or ignore_index {}; got {} in row {}", who, classes,
          options.ignore_index, row[i], i);
    if (counts)
      ++counted;
    else
      row[i] = -1;
  }
  const bool averaged = options.reduction == Reduction::mean;
  if (w.defined())
    t.weight = contiguous(to(averaged ? shares_of(w, t.rows) : w.detach(), dtype));
  else if (averaged)
    t.scale = counted > 0 ? 1 / static_cast<double>(counted) : 0;
  return t;
}

Tensor counted_rows(const Tensor& x, const ClassTargets& targets) {
  const Tensor counts = [&] {
    const OpScope inside;
    return unsqueeze(reshape(ge(targets.rows, 0), targets.shape), -1);
  }();
  return where(counts, x, zeros({}, x.dtype()));
}

SavedTargets::SavedTargets(const Tensor& target, const CrossEntropyOptions& options,
                           const ClassTargets& checked)
    : target_(save(target)),
      weight_(save(options.weight)),
      rows_(save(checked.rows)),
      row_weight_(save(checked.weight)),
      options_(options),
      shape_(checked.shape),
      scale_(checked.scale) {}

CrossEntropyOptions SavedTargets::options(const Backward& b) const {
  CrossEntropyOptions o = options_;
  o.weight = b.saved(weight_);
  return o;
}

ClassTargets SavedTargets::checked(const Backward& b) const {
  return {b.saved(rows_), b.saved(row_weight_), shape_, scale_};
}

Tensor reduced(const Tensor& losses, const ClassTargets& t, Reduction reduction) {
  return reduction == Reduction::none ? reshape(losses, t.shape) : sum(losses) * t.scale;
}

Tensor loss_of_log_probs(const Tensor& log_probs, const ClassTargets& t,
                         const CrossEntropyOptions& options) {
  const int64_t classes = log_probs.size(-1);
  const double smoothing = options.label_smoothing;
  const Tensor rows = reshape(log_probs, {t.rows.numel(), classes}), counts = ge(t.rows, 0);
  if (classes == 0) return reduced(sum(rows, {1}), t, options.reduction);  // no row counts: zeros
  const Tensor target = where(counts, t.rows, zeros({}, kInt64));
  Tensor loss = squeeze(gather(rows, 1, unsqueeze(target, 1)), 1) * (smoothing - 1);
  if (t.weight.defined()) loss = loss * index_select(t.weight, 0, target);
  if (smoothing > 0)
    loss = loss - sum(t.weight.defined() ? rows * t.weight : rows, {1}) *
                      (smoothing / static_cast<double>(classes));
  return reduced(where(counts, loss, zeros({}, loss.dtype())), t, options.reduction);
}

}  // namespace weft
