#include <weft/nn/sublayers.h>

namespace weft::detail {

MultiheadAttentionOptions attention_options(const TransformerLayerOptions& o,
                                            std::optional<int64_t> memory_width) {
  return {.embed_dim = o.d_model,
          .num_heads = o.nhead,
          .dropout = o.attention_dropout.value_or(o.dropout),
          .bias = o.bias,
          .kdim = memory_width,
          .vdim = memory_width,
          .batch_first = o.batch_first};
}

Tensor FeedForward::operator()(const Tensor& x) const {
  const Tensor hidden = linear1(x);  // [B, T, dim_feedforward]
  return linear2(dropout(activation == FeedForwardActivation::relu ? relu(hidden) : gelu(hidden)));
}

}  // namespace weft::detail
