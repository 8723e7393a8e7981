// One layer of a Transformer decoder: self-attention, attention to a memory, feed-forward, each in
// a residual.
#pragma once

#include <weft/nn/transformer/sublayers.h>

namespace weft {

struct DecoderCall {
  Mask tgt_mask = {};     ///< who among the target may attend to whom; usually Mask::causal()
  Mask memory_mask = {};  ///< and to what in the memory
  AttentionTrace* trace = nullptr;
};

/// What a decoder layer keeps from one step of decoding to the next.
struct DecoderLayerCache {
  AttentionCache self{AttentionCache::Kind::grows};
  AttentionCache memory{AttentionCache::Kind::fixed};
};

/// torch.nn.TransformerDecoderLayer, with its parameter names and initial values.
class TransformerDecoderLayer : public Layer<TransformerDecoderLayer, detail::TransformerLayer> {
 public:
  using Call = DecoderCall;
  TransformerDecoderLayer(const TransformerLayerOptions& options, Generator generator);

  /// tgt [B, Tq, D], memory [B, Tk, memory_dim] (or [T, B, D]) -> the shape of tgt. With a cache,
  /// tgt holds the new tokens alone, and masks see all tokens so far as keys.
  Tensor forward(const Tensor& tgt, const Tensor& memory, const DecoderCall& call = {},
                 DecoderLayerCache* cache = nullptr);

 private:
  MultiheadAttention& self_attn_;
  MultiheadAttention& multihead_attn_;
  detail::FeedForward feed_forward_;
  detail::Residual after_self_, after_memory_, after_feed_forward_;
};

}  // namespace weft
