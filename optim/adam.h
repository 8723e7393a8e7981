// Adam (Kingma and Ba, arXiv:1412.6980) and AdamW (Loshchilov and Hutter, arXiv:1711.05101), as in
// torch.optim, at step t = 1, 2, ...
//   g = gradient + weight_decay p            (AdamW: p = p - lr weight_decay p instead)
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
//   p = p - lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
// AMSGrad (Reddi et al. 2018) puts the largest v so far in the place of v.
#pragma once

#include <weft/optim/optimizer.h>

namespace weft {

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
  bool maximize = false;  ///< climb instead of descend
};

struct AdamWOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;  ///< decoupled: not part of the moments
  bool amsgrad = false;
  bool maximize = false;
};

/// Both: state `exp_avg`, `exp_avg_sq` and, with AMSGrad, `max_exp_avg_sq` of each parameter.
template <class Options>
class AdamFamily : public OptimizerOf<Options> {
 public:
  using Groups = typename OptimizerOf<Options>::Groups;

  explicit AdamFamily(const NamedTensors& parameters, const Options& options = {})
      : AdamFamily(Groups{{parameters, options}}) {}
  /// Error if an option is out of range.
  explicit AdamFamily(const Groups& groups);

 private:
  using typename Optimizer::Part;
  using typename Optimizer::Slot;
  std::vector<std::string> buffer_names(size_t group) const override;
  size_t always_buffers() const override { return 2; }
  Tensor update(Slot& slot, const Tensor& gradient) const override;
  bool has_kernel() const override { return true; }
  void run_kernel(const Slot& slot, const Tensor& gradient, const Part& part) const override;
};

using Adam = AdamFamily<AdamOptions>;
using AdamW = AdamFamily<AdamWOptions>;

}  // namespace weft
