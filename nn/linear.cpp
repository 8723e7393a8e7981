#include <weft/autograd/ops.h>
#include <weft/nn/init.h>
#include <weft/nn/linear.h>

#include <cmath>

namespace weft {

Linear::Linear(int64_t in, int64_t out, Generator generator, bool with_bias)
    : Linear(Tensor({out, in}), with_bias ? Tensor({out}) : Tensor()) {
  const double bound = in > 0 ? 1 / std::sqrt(static_cast<double>(in)) : 0;
  init::uniform(weight, -bound, bound, generator);
  if (with_bias) init::uniform(bias, -bound, bound, generator);
}

Linear::Linear(const Tensor& shared_weight, const Tensor& shared_bias)
    : weight(parameter("weight", shared_weight)), bias(parameter("bias", shared_bias)) {}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight, bias); }

}  // namespace weft
