// How strongly each output position reacts to each input position: lengths of the Jacobian's
// blocks.
#pragma once

#include <weft/autograd/transforms/functional.h>

namespace weft {

/// |d y_i / d x_j|, the square root of the sum of squares of all its elements (Frobenius), for
/// x [B, Tk, ...] and y = f(x), one tensor [B, Tq, ...] whose sentence b depends on sentence b of x
/// alone -> [B, Tq, Tk]. y may be a logit for each position, [B, Tq], or vectors, [B, Tq, D]. The
/// elements themselves are jacobian(f, x, {.batched = true}), which is held whole: one backward
/// pass for each element of a sentence of y. Differentiable, with gradient 0 of a length that is 0.
Tensor jacobian_norms(const TensorFunction& f, const Tensor& x);

}  // namespace weft
