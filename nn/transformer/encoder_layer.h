// One layer of a Transformer encoder: self-attention, then feed-forward, each in a residual.
#pragma once

#include <weft/nn/transformer/sublayers.h>

namespace weft {

struct EncoderCall {
  Mask src_mask = {};  ///< who may attend to whom
  AttentionTrace* trace = nullptr;
};

/// torch.nn.TransformerEncoderLayer, with its parameter names and initial values.
class TransformerEncoderLayer : public Layer<TransformerEncoderLayer, detail::TransformerLayer> {
 public:
  using Call = EncoderCall;
  TransformerEncoderLayer(const TransformerLayerOptions& options, Generator generator);

  /// src [B, T, D] (or [T, B, D]) -> the same shape.
  Tensor forward(const Tensor& src, const EncoderCall& call = {});

 private:
  MultiheadAttention& self_attn_;
  detail::FeedForward feed_forward_;
  detail::Residual after_attention_, after_feed_forward_;
};

}  // namespace weft
