#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/dropout.h>

namespace weft {

Dropout::Dropout(double p, Generator generator) : p_(p), generator_(std::move(generator)) {
  check(p >= 0 && p < 1, "dropout: p must be in [0, 1); got {}", p);
}

Tensor Dropout::forward(const Tensor& x) {
  const auto [p, key] = draw();
  return p > 0 ? dropout(x, p, key) : x;
}

Dropout::Draw Dropout::draw() {
  if (!training() || p_ == 0) return {};
  return {p_, generator_.next_key()};
}

}  // namespace weft
