#include <weft/nn/transformer/decoder_layer.h>

namespace weft {

TransformerDecoderLayer::TransformerDecoderLayer(const TransformerLayerOptions& o,
                                                 Generator generator)
    : self_attn_(
          child<MultiheadAttention>("self_attn", detail::self_attention_options(o), generator)),
      multihead_attn_(child<MultiheadAttention>("multihead_attn",
                                                detail::cross_attention_options(o), generator)),
      feed_forward_(feed_forward(o, generator)),
      after_self_(residual(1, o, generator)),
      after_memory_(residual(2, o, generator)),
      after_feed_forward_(residual(3, o, generator)) {}

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
