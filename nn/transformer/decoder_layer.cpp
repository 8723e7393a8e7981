#include <weft/nn/transformer/decoder_layer.h>

namespace weft {

TransformerDecoderLayer::TransformerDecoderLayer(const TransformerLayerOptions& o,
                                                 Generator generator)
    : self_attn_(
          child<MultiheadAttention>("self_attn", detail::self_attention_options(o), generator)),
      multihead_attn_(child<MultiheadAttention>("multihead_attn",
                                                detail::cross_attention_options(o), generator)),
      feed_forward_{
          child<Linear>("linear1", o.d_model, o.dim_feedforward, generator, o.bias),
          child<Dropout>("dropout", o.activation_dropout.value_or(o.dropout), generator),
          child<Linear>("linear2", o.dim_feedforward, o.d_model, generator, o.bias),
          o.activation == FeedForwardActivation::swiglu
              ? &child<Linear>("linear_gate", o.d_model, o.dim_feedforward, generator, o.bias)
              : nullptr,
          o.activation},
      after_self_{child<LayerNorm>("norm1", o.d_model, o.layer_norm_eps, o.bias),
                  child<Dropout>("dropout1", o.dropout, generator), o.norm_first},
      after_memory_{child<LayerNorm>("norm2", o.d_model, o.layer_norm_eps, o.bias),
                    child<Dropout>("dropout2", o.dropout, generator), o.norm_first},
      after_feed_forward_{child<LayerNorm>("norm3", o.d_model, o.layer_norm_eps, o.bias),
                          child<Dropout>("dropout3", o.dropout, generator), o.norm_first} {}

Tensor TransformerDecoderLayer::forward(const Tensor& tgt, const Tensor& memory,
                                        const DecoderCall& call, DecoderLayerCache* cache) {
  const AttentionWeights weights = detail::weights_for(call.trace);
  auto attend = [&](const Tensor& x) {
    const auto found = self_attn_(
        x, x, x,
        {.mask = call.tgt_mask, .weights = weights, .cache = cache ? &cache->self : nullptr});
    if (call.trace) call.trace->decoder.push_back(found.weights);
    return found.output;
  };
  auto attend_to_memory = [&](const Tensor& x) {
    const auto found = multihead_attn_(
        x, memory, memory,
        {.mask = call.memory_mask, .weights = weights, .cache = cache ? &cache->memory : nullptr});
    if (call.trace) call.trace->cross.push_back(found.weights);
    return found.output;
  };
  const Tensor x = after_memory_(after_self_(tgt, attend), attend_to_memory);
  return after_feed_forward_(x, feed_forward_);
}

}  // namespace weft
