// For authors of attention layers: a width split into heads and merged again, and what the
// attention layers here share.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/attention/multihead_attention.h>

namespace weft {

/// [B, T, D] -> [B, num_heads, T, D / num_heads], a view. Error unless num_heads divides D.
Tensor split_heads(const Tensor& x, int64_t num_heads);

/// [B, H, T, Dh] -> [B, T, H Dh], the inverse.
Tensor merge_heads(const Tensor& y);

namespace detail {

/// An Error unless these are query [B, Tq, width], key and value [B, Tk, width].
void check_sequences(const char* who, const Tensor& query, const Tensor& key, const Tensor& value);

/// An Error unless the mask, if any, broadcasts to `scores` [B, H, Tq, Tk]. It tells where that
/// looks like a per-head mask of another num_heads; `layout` follows where dims B and T look
/// exchanged.
void check_mask(const char* who, const Tensor& mask, const Shape& scores, const char* layout = "");

}  // namespace detail
}  // namespace weft
