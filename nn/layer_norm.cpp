#include <weft/autograd/ops.h>
#include <weft/nn/layer_norm.h>

namespace weft {

LayerNorm::LayerNorm(int64_t width, double eps, bool with_bias)
    : weight(parameter("weight", ones({width}))),
      bias(parameter("bias", with_bias ? zeros({width}) : Tensor())),
      eps_(eps) {}

Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, weight, bias, eps_); }

}  // namespace weft
