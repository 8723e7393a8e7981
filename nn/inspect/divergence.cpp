#include <weft/autograd/ops.h>
#include <weft/nn/inspect/divergence.h>
#include <weft/nn/inspect/spread.h>

namespace weft {

Tensor jensen_shannon(const Tensor& p, const Tensor& q) {
  return entropy((p + q) * 0.5) - (entropy(p) + entropy(q)) * 0.5;
}

Tensor total_variation(const Tensor& p, const Tensor& q) { return sum(abs(p - q), {-1}) * 0.5; }

}  // namespace weft
