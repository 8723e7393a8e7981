#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/optim/adafactor.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace weft {
namespace {

double machine_epsilon(DType dtype) {
  return dtype == kFloat32 ? std::numeric_limits<float>::epsilon()
                           : std::numeric_limits<double>::epsilon();
}

double root_mean_square(const Tensor& x) { return std::sqrt(mean(x * x).item()); }

// x + weight (y - x)
Tensor moved(const Tensor& x, const Tensor& y, double weight) { return x + weight * (y - x); }

}  // namespace

Adafactor::Adafactor(const Groups& groups) : OptimizerOf("Adafactor", groups) {
  for (const auto& group : groups) {
    const AdafactorOptions& o = group.options;
    check(o.lr >= 0, "Adafactor: lr must not be negative; got {}", o.lr);
    check(o.beta2_decay <= 0, "Adafactor: beta2_decay must not be positive; got {}", o.beta2_decay);
    check(o.eps1.value_or(0) >= 0 && o.eps2 >= 0,
          "Adafactor: eps1 and eps2 must not be negative; got {} and {}", o.eps1.value_or(0),
          o.eps2);
    check(o.d >= 1, "Adafactor: d must be at least 1; got {}", o.d);
    check(o.weight_decay >= 0, "Adafactor: weight_decay must not be negative; got {}",
          o.weight_decay);
  }
}

Shape Adafactor::buffer_shape(const std::string& buffer, const Shape& parameter) const {
  const bool rows = buffer == "row_var";
  if (parameter.rank() < 2) return rows ? parameter : Shape{0};
  Shape shape = parameter;
  shape[shape.rank() - (rows ? 1 : 2)] = 1;
  return shape;
}

Tensor Adafactor::update(Slot& slot, const Tensor& g) const {
  const AdafactorOptions& o = options(slot.group);
  const double t = static_cast<double>(slot.steps), rate = lr(slot.group);
  const double eps1 = o.eps1.value_or(machine_epsilon(g.dtype())), u = std::pow(t, o.beta2_decay);
  const Tensor &p = slot.parameter, square = g * g;
  Tensor &r = slot.buffers[0], &c = slot.buffers[1], v;
  if (p.dim() < 2) {
    v = r = moved(r, square, u);
  } else {
    r = moved(r, mean(square, {-1}, true), u);
    c = moved(c, mean(square, {-2}, true), u);
    v = r * c / clamp(mean(r, {-2}, true), eps1);
  }
  const Tensor step = g * rsqrt(clamp(v, eps1 * eps1));
  const double alpha = std::max(o.eps2, root_mean_square(p)) * std::min(rate, 1 / std::sqrt(t));
  const double largest = std::max(1.0, root_mean_square(step) / o.d);
  return (1 - rate * o.weight_decay) * p - alpha / largest * step;
}

}  // namespace weft
