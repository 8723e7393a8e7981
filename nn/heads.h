// What the attention layers share that take [B, T, D].
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/attention.h>

namespace weft::detail {

/// [B, T, D] -> [B, H, T, D / H]
inline Tensor split_heads(const Tensor& x, int64_t heads) {
  return permute(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), {0, 2, 1, 3});
}

/// [B, H, T, Dh] -> [B, T, H Dh]
inline Tensor merge_heads(const Tensor& y) {
  const Tensor t = permute(y, {0, 2, 1, 3});
  return reshape(t, {t.size(0), t.size(1), t.size(2) * t.size(3)});
}

/// scaled_dot_product_attention, fused unless weights are asked for.
inline AttentionResult attend(const Tensor& q, const Tensor& k, const Tensor& v,
                              const AttentionOptions& options, AttentionWeights form) {
  if (form == AttentionWeights::none) return {scaled_dot_product_attention(q, k, v, options), {}};
  const AttentionWithWeights found = attention_with_weights(q, k, v, options);
  return {found.output,
          form == AttentionWeights::averaged ? mean(found.weights, {1}) : found.weights};
}

}  // namespace weft::detail
