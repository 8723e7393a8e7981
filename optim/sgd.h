// Stochastic gradient descent with momentum, as torch.optim.SGD.
//   g = gradient + weight_decay p
//   b = momentum b + (1 - dampening) g       (b = g in the first step that has momentum)
//   p = p - lr b                             (Nesterov: p - lr (g + momentum b))
#pragma once

#include <weft/optim/optimizer.h>

namespace weft {

struct SgdOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;  ///< needs momentum and no dampening (Sutskever et al. 2013)
  bool maximize = false;  ///< climb instead of descend
};

/// State: `momentum_buffer.<parameter>` where momentum is not 0. A step without momentum drops it:
/// momentum that is switched on (again) begins with that step's gradient.
class Sgd : public OptimizerOf<SgdOptions> {
 public:
  explicit Sgd(const NamedTensors& parameters, const SgdOptions& options = {})
      : Sgd(Groups{{parameters, options}}) {}
  /// Error if an option is out of range.
  explicit Sgd(const Groups& groups);

 private:
  std::vector<std::string> buffer_names(size_t group) const override;
  size_t always_buffers() const override { return 0; }
  Tensor update(Slot& slot, const Tensor& gradient) const override;
  bool has_kernel() const override { return true; }
  void run_kernel(const Slot& slot, const Tensor& gradient, const Part& part) const override;
};

}  // namespace weft
