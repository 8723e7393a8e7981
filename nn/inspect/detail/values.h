// What attention weighs: the values of a call, and what the output projection makes of them.
#pragma once

#include <weft/nn/attention/multihead_attention.h>

namespace weft::detail {

/// Values x W_V + b_V of a call with this `value`, [B, Tk, vdim] or [Tk, B, vdim] as the options of
/// `attention` say -> [B, H, Tk, Dv]. An Error that names `who` if it is of another shape, or if
/// `attention` adds keys of its own.
Tensor values_of(const char* who, const MultiheadAttention& attention, const Tensor& value);

/// f_h(x_j), the values of each head times its columns of `out_weight`: [B, H, Tk, Dv] and
/// [D, H Dv] -> [B, H, Tk, D].
Tensor projected_by_head(const Tensor& values, const Tensor& out_weight);

}  // namespace weft::detail
