#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/optim/lion.h>

namespace weft {
namespace {

Tensor sign(const Tensor& x) { return to(gt(x, 0), x.dtype()) - to(lt(x, 0), x.dtype()); }

}  // namespace

Lion::Lion(const Groups& groups) : OptimizerOf("Lion", groups) {
  for (const auto& group : groups) {
    const LionOptions& o = group.options;
    check(o.lr >= 0, "Lion: lr must not be negative; got {}", o.lr);
    check(o.beta1 >= 0 && o.beta1 < 1, "Lion: beta1 must be in [0, 1); got {}", o.beta1);
    check(o.beta2 >= 0 && o.beta2 < 1, "Lion: beta2 must be in [0, 1); got {}", o.beta2);
    check(o.weight_decay >= 0, "Lion: weight_decay must not be negative; got {}", o.weight_decay);
  }
}

Tensor Lion::update(Slot& slot, const Tensor& g) const {
  const LionOptions& o = options(slot.group);
  const Tensor& p = slot.parameter;
  Tensor& m = slot.buffers[0];
  const Tensor step = sign(o.beta1 * m + (1 - o.beta1) * g) + o.weight_decay * p;
  m = o.beta2 * m + (1 - o.beta2) * g;
  return p - lr(slot.group) * step;
}

}  // namespace weft
