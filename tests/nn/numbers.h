// What the tests of layers and measures share.
#pragma once

#include <weft/autograd/check/gradcheck.h>
#include <weft/autograd/ops.h>
#include <weft/tests/catch.h>

#include <cmath>

namespace weft {

inline Tensor normal(const Shape& shape, uint64_t seed = 5, DType dtype = kFloat64) {
  Generator generator(seed);
  return randn(shape, generator, dtype);
}

/// Attention weights: rows sum to 1.
inline Tensor random_weights(const Shape& shape, uint64_t seed) {
  return softmax(normal(shape, seed) * 2, -1);
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return a.numel() == 0 ? 0 : max(abs(a.detach() - b.detach())).item();
}

/// What a brute-force oracle must be met to.
constexpr double kClose = 1e-10;

}  // namespace weft
