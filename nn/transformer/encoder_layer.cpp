#include <weft/nn/transformer/encoder_layer.h>

namespace weft {

TransformerEncoderLayer::TransformerEncoderLayer(const TransformerLayerOptions& o,
                                                 Generator generator)
    : self_attn_(
          child<MultiheadAttention>("self_attn", detail::self_attention_options(o), generator)),
      feed_forward_(feed_forward(o, generator)),
      after_attention_(residual(1, o, generator)),
      after_feed_forward_(residual(2, o, generator)) {}

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
