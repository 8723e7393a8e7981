// What the attention layers share.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/attention.h>

namespace weft::detail {

/// An Error unless these are query [B, Tq, width], key and value [B, Tk, width].
void check_sequences(const char* who, const Tensor& query, const Tensor& key, const Tensor& value);

/// [B, T, D] -> [B, H, T, D / H]
inline Tensor split_heads(const Tensor& x, int64_t heads) {
  return permute(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), {0, 2, 1, 3});
}

/// [B, H, T, Dh] -> [B, T, H Dh]
inline Tensor merge_heads(const Tensor& y) {
  const Tensor t = permute(y, {0, 2, 1, 3});
  return reshape(t, {t.size(0), t.size(1), t.size(2) * t.size(3)});
}

/// scaled_dot_product_attention, fused unless weights are asked for, here or by Intermediates.
AttentionResult attend(const Tensor& q, const Tensor& k, const Tensor& v,
                       const AttentionOptions& options, AttentionWeights form);

}  // namespace weft::detail
