// RMSNorm: y = x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019, arXiv:1910.07467).
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/module.h>

#include <limits>

namespace weft {

/// Over the last dim: x [..., width] -> [..., width]. Parameter `weight` (ones), [width]. Without
/// `eps`, the machine epsilon of the dtype, as in PyTorch.
class RMSNorm : public Layer<RMSNorm> {
 public:
  explicit RMSNorm(int64_t width, std::optional<double> eps = {})
      : weight(parameter("weight", ones({width}))), eps_(eps) {}

  Tensor forward(const Tensor& x) { return rms_norm(x, weight, eps_); }

  double eps() const {
    return eps_.value_or(weight.dtype() == kFloat32 ? std::numeric_limits<float>::epsilon()
                                                    : std::numeric_limits<double>::epsilon());
  }

  Tensor weight;

 private:
  std::optional<double> eps_;
};

}  // namespace weft
