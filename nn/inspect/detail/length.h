// Euclidean lengths of rows.
#pragma once

#include <weft/core/tensor.h>

namespace weft::detail {

/// Of x [..., D] -> [...]. No square is lost to overflow or underflow; the gradient of a length
/// that is 0 is 0.
Tensor length_of(const Tensor& x);

}  // namespace weft::detail
