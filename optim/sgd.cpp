#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/optimizer.h>
#include <weft/optim/sgd.h>

namespace weft {

Sgd::Sgd(const Groups& groups) : OptimizerOf("Sgd", groups) {
  for (const auto& group : groups) {
    const SgdOptions& o = group.options;
    check(o.lr >= 0, "Sgd: lr must not be negative; got {}", o.lr);
    check(o.momentum >= 0, "Sgd: momentum must not be negative; got {}", o.momentum);
    check(o.weight_decay >= 0, "Sgd: weight_decay must not be negative; got {}", o.weight_decay);
    check(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
          "Sgd: nesterov needs momentum > 0 and dampening 0; got momentum {}, dampening {}",
          o.momentum, o.dampening);
  }
}

std::vector<std::string> Sgd::buffer_names(size_t group) const {
  if (options(group).momentum == 0) return {};
  return {"momentum_buffer"};
}

Tensor Sgd::update(Slot& slot, const Tensor& gradient) const {
  const SgdOptions& o = options(slot.group);
  const Tensor& p = slot.parameter;
  const Tensor g = (o.maximize ? -gradient : gradient) + o.weight_decay * p;
  if (o.momentum == 0) return p - lr(slot.group) * g;
  Tensor& b = slot.buffers[0];
  b = slot.fresh ? g : o.momentum * b + (1 - o.dampening) * g;
  return p - lr(slot.group) * (o.nesterov ? g + o.momentum * b : b);
}

void Sgd::run_kernel(const Slot& slot, const Tensor& gradient, const Part& part) const {
  const SgdOptions& o = options(slot.group);
  const kernels::SgdStep step{.lr = lr(slot.group),
                              .momentum = o.momentum,
                              .dampening = o.dampening,
                              .weight_decay = o.weight_decay,
                              .nesterov = o.nesterov,
                              .maximize = o.maximize,
                              .first = slot.fresh,
                              .grad_scale = part.gradient_scale};
  dispatch_floating(who(), gradient.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto at = [&](const Tensor& t) { return static_cast<T*>(t.raw()) + part.begin; };
    kernels::sgd_update<T>(step, at(slot.parameter), at(gradient),
                           slot.buffers.empty() ? nullptr : at(slot.buffers[0]), part.n);
  });
}

}  // namespace weft
