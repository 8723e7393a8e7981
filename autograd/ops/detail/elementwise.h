// Shared by the elementwise ops: running a kernel over broadcast operands. Not public.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/core/broadcast.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/elementwise.h>

namespace weft {

/// A new tensor: the binary kernel on broadcast operands, defined and of one dtype. Not recorded.
Tensor binary(const char* who, kernels::Binary op, const Tensor& a, const Tensor& b);
/// The same with a number on the right. An integer tensor with a fraction becomes float32.
Tensor binary(const char* who, kernels::Binary op, const Tensor& a, double b);
/// A new tensor: the unary kernel on x (floating). Not recorded.
Tensor unary(const char* who, kernels::Unary op, const Tensor& x);
/// dx from dy, and from x or y = op(x) as the kernel wants (the other is undefined); one pass. Not
/// recorded.
Tensor unary_grad(kernels::Unary op, const Tensor& x, const Tensor& y, const Tensor& dy);

/// g b a^(b - 1), 0 where b is 0, though factors may leave their type's range; a and b broadcast to
/// g. Recorded: the gradient of pow, and part of its own (ops/arithmetic.cpp).
Tensor pow_slope(const Tensor& g, const Tensor& a, const Tensor& b);

}  // namespace weft
