#include <weft/autograd/ops.h>
#include <weft/nn/attention/cross_attention.h>

namespace weft {

CrossAttention::CrossAttention(const CrossAttentionOptions& o, Generator generator)
    : norm_place_(o.norm),
      attention_(child<MultiheadAttention>("attention",
                                           MultiheadAttentionOptions{.embed_dim = o.embed_dim,
                                                                     .num_heads = o.num_heads,
                                                                     .dropout = o.attention_dropout,
                                                                     .bias = o.bias,
                                                                     .kdim = o.kdim,
                                                                     .vdim = o.vdim,
                                                                     .batch_first = o.batch_first},
                                           generator)),
      dropout_(child<Dropout>("dropout", o.dropout, generator)),
      norm_(o.norm == NormPlace::none ? nullptr
                                      : &child<LayerNorm>("norm", o.embed_dim, 1e-5, o.bias)),
      projection_(o.combine == Combine::concatenate
                      ? &child<Linear>("projection",
                                       multiply_sizes("CrossAttention", 2, o.embed_dim),
                                       o.embed_dim, generator, o.bias)
                      : nullptr) {}

AttentionResult CrossAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                        const AttentionCall& call) {
  const Tensor asked = norm_place_ == NormPlace::before ? (*norm_)(query) : query;
  const AttentionResult found = attention_(asked, key, value, call);
  const Tensor taken = dropout_(found.output);
  Tensor y = projection_ ? (*projection_)(cat({query, taken}, -1)) : query + taken;
  if (norm_place_ == NormPlace::after) y = (*norm_)(y);
  return {y, found.weights};
}

AttentionResult CrossAttention::forward(const Tensor& query, const Tensor& memory,
                                        const AttentionCall& call) {
  return forward(query, memory, memory, call);
}

}  // namespace weft
