#include <weft/nn/transformer/encoder_layer.h>

namespace weft {

TransformerEncoderLayer::TransformerEncoderLayer(const TransformerLayerOptions& o,
                                                 Generator generator)
    : self_attn_(
          child<MultiheadAttention>("self_attn", detail::self_attention_options(o), generator)),
      feed_forward_{
          child<Linear>("linear1", o.d_model, o.dim_feedforward, generator, o.bias),
          child<Dropout>("dropout", o.activation_dropout.value_or(o.dropout), generator),
          child<Linear>("linear2", o.dim_feedforward, o.d_model, generator, o.bias),
          o.activation == FeedForwardActivation::swiglu
              ? &child<Linear>("linear_gate", o.d_model, o.dim_feedforward, generator, o.bias)
              : nullptr,
          o.activation},
      after_attention_{child<LayerNorm>("norm1", o.d_model, o.layer_norm_eps, o.bias),
                       child<Dropout>("dropout1", o.dropout, generator), o.norm_first},
      after_feed_forward_{child<LayerNorm>("norm2", o.d_model, o.layer_norm_eps, o.bias),
                          child<Dropout>("dropout2", o.dropout, generator), o.norm_first} {}

Tensor TransformerEncoderLayer::forward(const Tensor& src, const EncoderCall& call) {
  auto attend = [&](const Tensor& x) {
    const auto found =
        self_attn_(x, x, x, {.mask = call.src_mask, .weights = detail::weights_for(call.trace)});
    if (call.trace) call.trace->encoder.push_back(found.weights);
    return found.output;
  };
  return after_feed_forward_(after_attention_(src, attend), feed_forward_);
}

}  // namespace weft
