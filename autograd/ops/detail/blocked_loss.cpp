#include <weft/autograd/graph/op.h>
#include <weft/autograd/ops/detail/blocked_loss.h>
#include <weft/core/detail/check.h>

namespace weft {
namespace {

bool some_row_counts(const ClassTargets& t) {
  const int64_t* row = t.rows.data<int64_t>();
  return std::any_of(row, row + t.rows.numel(), [](int64_t target) { return target >= 0; });
}

// Zeros where there is no block to write it.
Tensor room_for(const Tensor& t, bool written) {
  if (!will_record({t})) return {};
  return written ? Tensor(t.shape(), t.dtype()) : zeros(t.shape(), t.dtype());
}

}  // namespace

Shape check_logit_operands(const char* who, const LogitOperands& in) {
  const Tensor &weight = in.weight, &bias = in.bias;
  for (const Tensor& hidden : in.hidden) {
    check(hidden.defined() && weight.defined(), "{}: an operand is undefined", who);
    check(weight.dim() == 2 && hidden.dim() > 0 && hidden.size(-1) == weight.size(1),
          "{}: hidden must be [..., D] for weight [V, D]; got {} and {}", who, hidden.shape(),
          weight.shape());
    check(hidden.dtype() == weight.dtype(),
          "{}: hidden and weight must have one dtype; got {} and {}", who,
          to_string(hidden.dtype()), to_string(weight.dtype()));
    check(hidden.shape() == in.hidden[0].shape(),
          "{}: both hidden must have one shape; got {} and {}", who, in.hidden[0].shape(),
          hidden.shape());
  }
  if (bias.defined()) {
    check(bias.shape() == Shape{weight.size(0)}, "{}: the bias must have shape [{}]; got {}", who,
          weight.size(0), bias.shape());
    check(bias.dtype() == weight.dtype(), "{}: the bias must have the weight's dtype, {}; got {}",
          who, to_string(weight.dtype()), to_string(bias.dtype()));
  }
  const Shape& shape = in.hidden[0].shape();
  return Shape(std::span(shape.begin(), static_cast<size_t>(in.hidden[0].dim() - 1)));
}

LogitGradients::LogitGradients(const LogitOperands& in, const ClassTargets& targets) {
  const bool written = some_row_counts(targets);
  for (const Tensor& h : in.hidden) hidden.push_back(room_for(h, false));
  weight = room_for(in.weight, written);
  bias = room_for(in.bias, written);
}

Tensor scaled_by(const Tensor& gradient, const Tensor& dy) {
  return gradient.defined() && dy.item() != 1 ? gradient * dy : gradient;
}

CountedRows::CountedRows(const ClassTargets& targets) {
  const int64_t* all = targets.rows.data<int64_t>();
  std::vector<int64_t> at, classes;
  for (int64_t i = 0; i < targets.rows.numel(); ++i) {
    if (all[i] < 0) continue;
    at.push_back(i);
    classes.push_back(all[i]);
  }
  const Shape shape{static_cast<int64_t>(at.size())};
  index = from_vector(at, shape);
  target = from_vector(classes, shape);
}

}  // namespace weft
