// Attention by its kernels (core/kernels/attention.h), and what its gradients and their derivatives
// need of it. Nothing here is recorded.
#pragma once

#include <weft/autograd/ops.h>

namespace weft::detail {

/// One call. All of its tensors have their last dim contiguous.
struct FusedAttention {
  Tensor q, k, v;            ///< [B, H, Tq, D], [B, H, Tk, D], [B, H, Tk, Dv]
  AttentionOptions options;  ///< a floating mask has q's dtype
  Tensor y;                  ///< [B, H, Tq, Dv]
  Tensor top, inverse;       ///< [B, H, Tq]: kernels::SoftmaxRows
};

/// What scores are multiplied with: 1 / sqrt(D) unless the options tell.
double attention_scale(const AttentionOptions& o, const Tensor& q);

/// x itself, or a copy with the last dim contiguous, which is all that the kernels want. Recorded.
Tensor with_dense_rows(const Tensor& x);

/// Fills in y, top and inverse.
void run_attention(FusedAttention& f);

/// dQ, dK, dV and, if wanted, the gradient of the mask in the mask's shape, else undefined.
Tensors attention_gradients(const FusedAttention& f, const Tensor& dy, bool mask_too);

/// How the gradients, as above, and then y move along directions of q, k, v and, unless it is left
/// out, the mask; undefined ones are 0. dy is fixed. The mask's gradient is made if there is a
/// fourth direction; no gradient is unless they are wanted.
Tensors attention_tangents(const FusedAttention& f, const Tensor& dy, const Tensors& directions,
                           bool gradients_too);

}  // namespace weft::detail
