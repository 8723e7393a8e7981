// Which heads matter: the slope of a loss by a mask on the heads (Michel, Levy and Neubig 2019,
// arXiv:1905.10650). With xi_h multiplying the output o_h of head h,
//   dL/dxi_h = sum o_h dL/do_h = sum A_h dL/dA_h   at xi = 1,
// as o_h is linear in the attention weights A_h: one backward pass gives it for every layer.
#pragma once

#include <weft/nn/attention/multihead_attention.h>

namespace weft {

/// dL/dxi of every sentence and head, from attention weights [B, H, Tq, Tk] (before dropout, as
/// attention gives them) or outputs of heads [B, H, Tq, Dh], and the gradients of L with respect to
/// them -> [B, H].
Tensor head_mask_gradient(const Tensor& heads, const Tensor& gradients);

/// I_h, the mean over sentences of |dL/dxi_h|, with L the sum of the sentences' losses: a mean
/// loss gives it divided by B. (The paper further divides it by its Euclidean length over the heads
/// of a layer.) Same tensors -> [H].
Tensor head_importance(const Tensor& heads, const Tensor& gradients);

/// Multiplies the output of each head, before the output projection, by its entry of `mask`, [H] or
/// [B, H], from now on until the handle removes it. Gradients flow to the mask. 0 takes a head out.
/// An Error, when the layer runs, if the mask does not fit.
HookHandle mask_heads(MultiheadAttention& attention, const Tensor& mask);

}  // namespace weft
