// LayerNorm: y = (x - mean) / sqrt(var + eps) * weight + bias (Ba, Kiros and Hinton 2016).
#pragma once

#include <weft/nn/module.h>

namespace weft {

/// Over the last dim: x [..., width] -> [..., width]. Parameters `weight` (ones) and `bias`
/// (zeros), both [width].
class LayerNorm : public Layer<LayerNorm> {
 public:
  explicit LayerNorm(int64_t width, double eps = 1e-5, bool with_bias = true);

  Tensor forward(const Tensor& x);

  double eps() const { return eps_; }

  Tensor weight, bias;

 private:
  double eps_;
};

}  // namespace weft
