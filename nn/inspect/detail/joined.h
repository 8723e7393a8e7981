// Source and target of an encoder-decoder as the positions of one graph.
#pragma once

#include <weft/autograd/ops.h>

namespace weft::detail {

inline Tensor batch_of(const Tensor& matrix, int64_t batch) {
  return expand(matrix, {batch, matrix.size(0), matrix.size(1)});
}

/// [a 0; c b]: source to source a, target to target b, source to target c, each [B, ., .].
inline Tensor joined(const Tensor& a, const Tensor& b, const Tensor& c) {
  return cat({pad(a, 2, 0, b.size(2)), cat({c, b}, 2)}, 1);
}

}  // namespace weft::detail
