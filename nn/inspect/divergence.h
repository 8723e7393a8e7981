// How far two distributions are from each other, along the last dim; p and q are of one shape.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

/// JSD = H((p + q) / 2) - (H(p) + H(q)) / 2 in nats, with H of entropy() (Lin 1991): 0 where p = q,
/// log 2 where nothing has weight in both. [..., K] -> [...]. Differentiable as entropy() is; its
/// gradient is 0 where p = q.
Tensor jensen_shannon(const Tensor& p, const Tensor& q);

/// TVD = 1/2 sum_k |p_k - q_k|, in [0, 1]. [..., K] -> [...].
Tensor total_variation(const Tensor& p, const Tensor& q);

}  // namespace weft
