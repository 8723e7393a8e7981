// Attention weights with the length of what they weigh (Kobayashi et al. 2020, arXiv:2004.10102):
// a large weight on a short vector carries little.
#pragma once

#include <weft/nn/attention/multihead_attention.h>

namespace weft {

struct NormWeights {
  Tensor per_head;  ///< [B, H, Tq, Tk]: |A_hij f_h(x_j)|
  Tensor summed;    ///< [B, Tq, Tk]: |sum_h A_hij f_h(x_j)|, at most the sum of the former
};

/// Euclidean lengths of what key j adds to the output at query i, where f_h(x) = (x W_V + b_V) W_O
/// for the columns of W_V, b_V and the rows of W_O that are head h's. The bias of the values is
/// part of f; that of the output is not, as no key brings it. From weights [B, H, Tq, Tk], values
/// x W_V + b_V [B, H, Tk, Dv] and `out_weight` [D, H Dv] as in Linear, that is W_O transposed.
/// Differentiable, with gradient 0 of a length that is 0. Needs B Tq Tk D numbers of memory.
NormWeights norm_weights(const Tensor& weights, const Tensor& values, const Tensor& out_weight);

/// The same for a call of `attention` with this `value`, [B, Tk, vdim] or [Tk, B, vdim] as its
/// options say, that gave these weights per head. An Error if it adds keys of its own.
NormWeights norm_weights(MultiheadAttention& attention, const Tensor& value, const Tensor& weights);

}  // namespace weft
