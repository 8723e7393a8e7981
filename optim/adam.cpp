#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/optimizer.h>
#include <weft/optim/adam.h>

#include <cmath>

namespace weft {
namespace {

template <class Options>
constexpr bool kDecoupled = std::is_same_v<Options, AdamWOptions>;

template <class Options>
constexpr const char* kName = kDecoupled<Options> ? "AdamW" : "Adam";

}  // namespace

template <class Options>
AdamFamily<Options>::AdamFamily(const Groups& groups)
    : OptimizerOf<Options>(kName<Options>, groups) {
  const char* who = kName<Options>;
  for (const auto& group : groups) {
    const Options& o = group.options;
    check(o.lr >= 0, "{}: lr must not be negative; got {}", who, o.lr);
    check(o.beta1 >= 0 && o.beta1 < 1, "{}: beta1 must be in [0, 1); got {}", who, o.beta1);
    check(o.beta2 >= 0 && o.beta2 < 1, "{}: beta2 must be in [0, 1); got {}", who, o.beta2);
    check(o.eps >= 0, "{}: eps must not be negative; got {}", who, o.eps);
    check(o.weight_decay >= 0, "{}: weight_decay must not be negative; got {}", who,
          o.weight_decay);
  }
}

template <class Options>
std::vector<std::string> AdamFamily<Options>::buffer_names(size_t group) const {
  if (this->options(group).amsgrad) return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"};
  return {"exp_avg", "exp_avg_sq"};
}

template <class Options>
Tensor AdamFamily<Options>::update(Slot& slot, const Tensor& gradient) const {
  const Options& o = this->options(slot.group);
  const double lr = this->lr(slot.group), t = static_cast<double>(slot.steps);
  Tensor &m = slot.buffers[0], &v = slot.buffers[1], p = slot.parameter;
  Tensor g = o.maximize ? -gradient : gradient;
  if (kDecoupled<Options>)
    p = p * (1 - lr * o.weight_decay);
  else
    g = g + o.weight_decay * p;
  m = o.beta1 * m + (1 - o.beta1) * g;
  v = o.beta2 * v + (1 - o.beta2) * g * g;
  const Tensor largest = o.amsgrad ? slot.buffers[2] = maximum(slot.buffers[2], v) : v;
  const double correction1 = 1 - std::pow(o.beta1, t), correction2 = 1 - std::pow(o.beta2, t);
  return p - lr / correction1 * (m / (sqrt(largest) / std::sqrt(correction2) + o.eps));
}

template <class Options>
void AdamFamily<Options>::run_kernel(const Slot& slot, const Tensor& gradient,
                                     const Part& part) const {
  const Options& o = this->options(slot.group);
  const kernels::AdamStep step{.lr = this->lr(slot.group),
                               .beta1 = o.beta1,
                               .beta2 = o.beta2,
                               .eps = o.eps,
                               .weight_decay = o.weight_decay,
                               .decoupled = kDecoupled<Options>,
                               .maximize = o.maximize,
                               .step = slot.steps,
                               .grad_scale = part.gradient_scale};
  dispatch_floating(this->who(), gradient.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const auto at = [&](const Tensor& t) { return static_cast<T*>(t.raw()) + part.begin; };
    kernels::adam_update<T>(step, at(slot.parameter), at(gradient), at(slot.buffers[0]),
                            at(slot.buffers[1]), o.amsgrad ? at(slot.buffers[2]) : nullptr, part.n);
  });
}

template class AdamFamily<AdamOptions>;
template class AdamFamily<AdamWOptions>;

}  // namespace weft
