// Lion (Chen et al. 2023, arXiv:2302.06675): steps by the sign of an average, all of one size, so
// that lr is a third to a tenth of Adam's, and weight_decay so much larger. Defaults are the
// authors'.
//   p = p - lr (sign(beta1 m + (1 - beta1) g) + weight_decay p)
//   m = beta2 m + (1 - beta2) g
#pragma once

#include <weft/optim/optimizer.h>

namespace weft {

struct LionOptions {
  double lr = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
};

/// State: `exp_avg.<parameter>`.
class Lion : public OptimizerOf<LionOptions> {
 public:
  explicit Lion(const NamedTensors& parameters, const LionOptions& options = {})
      : Lion(Groups{{parameters, options}}) {}
  /// Error if an option is out of range.
  explicit Lion(const Groups& groups);

 private:
  std::vector<std::string> buffer_names(size_t) const override { return {"exp_avg"}; }
  Tensor update(Slot& slot, const Tensor& gradient) const override;
};

}  // namespace weft
