// Linear: y = x W^T + b.
#pragma once

#include <weft/nn/module.h>

namespace weft {

/// x [..., in] -> [..., out]. Parameters `weight` [out, in] and `bias` [out], both uniform in
/// +-1 / sqrt(in) as in PyTorch.
class Linear : public Layer<Linear> {
 public:
  Linear(int64_t in, int64_t out, Generator generator, bool with_bias = true);
  /// With a weight that another layer owns too (tied weights), and a bias or none.
  explicit Linear(const Tensor& shared_weight, const Tensor& shared_bias = {});

  Tensor forward(const Tensor& x);

  Tensor weight, bias;
};

}  // namespace weft
