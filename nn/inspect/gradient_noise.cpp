#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/gradient_noise.h>

namespace weft {

void GradientNoise::add(const NamedTensors& parameters) {
  const NoGrad no_grad;
  for (const auto& [name, parameter] : parameters) {
    if (!parameter.defined() || !parameter.grad().defined()) continue;
    const Tensor g = to(parameter.grad().detach(), kFloat64);
    Moments& m = gradients_[name];
    if (m.count == 0) m.mean = m.squares = zeros(g.shape(), kFloat64);
    check(g.shape() == m.mean.shape(),
          "gradient noise: expected a gradient {} of {} as before; got {}", m.mean.shape(), name,
          g.shape());
    const Tensor off = g - m.mean;
    m.mean = m.mean + off / static_cast<double>(++m.count);
    m.squares = m.squares + off * (g - m.mean);
  }
}

Tensor GradientNoise::signal_to_noise(const std::string& name, int64_t groups) const {
  const auto found = gradients_.find(name);
  const int64_t count = found == gradients_.end() ? 0 : found->second.count;
  check(count >= 2, "gradient noise: expected at least 2 gradients of \"{}\"; got {}", name, count);
  const Moments& m = found->second;
  const Shape& shape = m.mean.shape();
  const int64_t rows = shape.rank() == 0 ? 1 : shape[0];
  check(groups >= 1 && rows % groups == 0,
        "gradient noise: expected a number of groups that divides {} rows; got {}", rows, groups);
  const auto total = [&](const Tensor& x) { return sum(reshape(x, {groups, -1}), {1}); };
  return total(m.mean * m.mean) / total(m.squares) * static_cast<double>(count - 1);
}

}  // namespace weft
