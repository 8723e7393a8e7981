// Elementwise kernels of two operands over tensors that broadcast.
#pragma once

#include <weft/core/kernels/elementwise.h>
#include <weft/core/tensor.h>

namespace weft {

/// Runs a binary kernel over tensors of one dtype into `y`, whose shape they broadcast to.
void binary_into(kernels::Binary op, const Tensor& a, const Tensor& b, Tensor& y);
/// y += x, broadcasting x; `y` is contiguous and nobody else looks at it.
inline void add_in_place(Tensor& y, const Tensor& x) { binary_into(kernels::Binary::add, y, x, y); }

}  // namespace weft
