#include <weft/autograd/ops.h>
#include <weft/nn/inspect/detail/length.h>

namespace weft::detail {

// The largest element is divided out, so that no square is lost; the result does
// not depend on it, so it is a constant to the gradient.
Tensor length_of(const Tensor& x) {
  const Tensor largest = max(abs(x.detach()), {-1}, true), zero = eq(largest, 0);
  const Tensor scaled = x / masked_fill(largest, zero, 1);
  const Tensor squares = masked_fill(sum(scaled * scaled, {-1}, true), zero, 1);
  return squeeze(masked_fill(sqrt(squares) * largest, zero, 0), -1);
}

}  // namespace weft::detail
