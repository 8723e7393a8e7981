#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/optim/muon.h>

#include <algorithm>
#include <cmath>

namespace weft {
namespace {

// sqrt(max(1, rows / columns)), or 0.2 sqrt(max(rows, columns))
double scale_of(const Shape& shape, MuonScale scale) {
  const double rows = static_cast<double>(shape[0]), columns = static_cast<double>(shape[1]);
  return scale == MuonScale::original ? std::sqrt(std::max(1.0, rows / columns))
                                      : 0.2 * std::sqrt(std::max(rows, columns));
}

}  // namespace

Tensor orthogonalize(const Tensor& x, int iterations, double eps) {
  check(x.defined() && x.dim() == 2, "orthogonalize: expected a matrix; got {}",
        x.defined() ? to_string(x.shape()) : "an undefined tensor");
  const bool tall = x.size(0) > x.size(1);  // the product of the shorter sides is the smaller one
  Tensor y = tall ? transpose(x, 0, 1) : x;
  y = y / std::max(std::sqrt(sum(y * y).item()), eps);
  for (int i = 0; i < iterations; ++i) {
    const Tensor gram = matmul(y, transpose(y, 0, 1));
    y = 3.4445 * y + matmul(-4.7750 * gram + 2.0315 * matmul(gram, gram), y);
  }
  return tall ? transpose(y, 0, 1) : y;
}

Muon::Muon(const Groups& groups) : OptimizerOf("Muon", groups) {
  for (const auto& [parameters, o] : groups) {
    check(o.lr >= 0, "Muon: lr must not be negative; got {}", o.lr);
    check(o.weight_decay >= 0, "Muon: weight_decay must not be negative; got {}", o.weight_decay);
    for (const double rate : {o.momentum, o.beta1, o.beta2})
      check(rate >= 0 && rate < 1, "Muon: momentum, beta1 and beta2 must be in [0, 1); got {}",
            rate);
    check(o.iterations > 0, "Muon: iterations must be positive; got {}", o.iterations);
    check(o.eps >= 0 && o.adam_eps >= 0, "Muon: eps and adam_eps must not be negative; got {}, {}",
          o.eps, o.adam_eps);
    for (const NamedTensor& p : parameters)
      check(!o.orthogonal || p.tensor.dim() == 2,
            "Muon: \"{}\" must be a matrix, or in a group that is not orthogonal; got {}", p.name,
            p.tensor.shape());
  }
}

std::vector<std::string> Muon::buffer_names(size_t group) const {
  if (options(group).orthogonal) return {"momentum_buffer"};
  return {"exp_avg", "exp_avg_sq"};
}

Tensor Muon::update(Slot& slot, const Tensor& g) const {
  const MuonOptions& o = options(slot.group);
  if (!o.orthogonal) return adamw(slot, g);
  const double rate = lr(slot.group);
  const Tensor& p = slot.parameter;
  Tensor& m = slot.buffers[0];
  m = o.momentum * m + (1 - o.momentum) * g;
  const Tensor direction = o.nesterov ? (1 - o.momentum) * g + o.momentum * m : m;
  return (1 - rate * o.weight_decay) * p -
         rate * scale_of(p.shape(), o.scale) * orthogonalize(direction, o.iterations, o.eps);
}

Tensor Muon::adamw(Slot& slot, const Tensor& g) const {
  const MuonOptions& o = options(slot.group);
  const double rate = lr(slot.group), t = static_cast<double>(slot.steps);
  Tensor &m = slot.buffers[0], &v = slot.buffers[1];
  m = o.beta1 * m + (1 - o.beta1) * g;
  v = o.beta2 * v + (1 - o.beta2) * g * g;
  const double first = 1 - std::pow(o.beta1, t), second = 1 - std::pow(o.beta2, t);
  return (1 - rate * o.weight_decay) * slot.parameter -
         rate / first * (m / (sqrt(v) / std::sqrt(second) + o.adam_eps));
}

}  // namespace weft
