#include <weft/core/detail/check.h>
#include <weft/nn/init.h>
#include <weft/nn/transformer/transformer.h>

namespace weft {
namespace {

size_t depth_of(const char* who, int num_layers) {
  check(num_layers >= 0, "{}: the number of layers must not be negative; got {}", who, num_layers);
  return static_cast<size_t>(num_layers);
}

}  // namespace

TransformerEncoder::TransformerEncoder(const TransformerLayerOptions& options, int num_layers,
                                       Generator generator, bool final_norm, bool share_layers)
    : layers_(child<ModuleList<TransformerEncoderLayer>>("layers")),
      depth_(depth_of("transformer encoder", num_layers)),
      norm_(final_norm
                ? &child<LayerNorm>("norm", options.d_model, options.layer_norm_eps, options.bias)
                : nullptr) {
  const size_t own = share_layers ? std::min<size_t>(1, depth_) : depth_;
  for (size_t i = 0; i < own; ++i) layers_.add(options, generator);
}

Tensor TransformerEncoder::forward(const Tensor& src, const EncoderCall& call) {
  Tensor x = src;
  for (size_t i = 0; i < depth_; ++i) x = layers_[i % layers_.size()](x, call);
  return norm_ ? (*norm_)(x) : x;
}

void DecoderState::reorder(const Tensor& index, bool same_memory) {
  for (DecoderLayerCache& layer : layers) {
    layer.self.reorder(index);
    if (!same_memory) layer.memory.reorder(index);
  }
}

TransformerDecoder::TransformerDecoder(const TransformerLayerOptions& options, int num_layers,
                                       Generator generator, bool final_norm, bool share_layers)
    : layers_(child<ModuleList<TransformerDecoderLayer>>("layers")),
      depth_(depth_of("transformer decoder", num_layers)),
      norm_(final_norm
                ? &child<LayerNorm>("norm", options.d_model, options.layer_norm_eps, options.bias)
                : nullptr) {
  const size_t own = share_layers ? std::min<size_t>(1, depth_) : depth_;
  for (size_t i = 0; i < own; ++i) layers_.add(options, generator);
}

Tensor TransformerDecoder::forward(const Tensor& tgt, const Tensor& memory, const DecoderCall& call,
                                   DecoderState* state) {
  if (state && state->layers.empty()) state->layers.resize(depth_);
  check(!state || state->layers.size() == depth_,
        "transformer decoder: the state is of a decoder with {} layers; this one has {}",
        state ? state->layers.size() : 0, depth_);
  Tensor x = tgt;
  for (size_t i = 0; i < depth_; ++i)
    x = layers_[i % layers_.size()](x, memory, call, state ? &state->layers[i] : nullptr);
  return norm_ ? (*norm_)(x) : x;
}

Transformer::Transformer(const TransformerOptions& o, Generator generator)
    : encoder(child<TransformerEncoder>("encoder", o.layer, o.num_encoder_layers, generator,
                                        o.final_norm, o.share_layers)),
      decoder(child<TransformerDecoder>("decoder", o.layer, o.num_decoder_layers, generator,
                                        o.final_norm, o.share_layers)) {
  for (const Tensor& p : parameters())
    if (p.dim() > 1) init::xavier_uniform(p, generator);
}

Tensor Transformer::forward(const Tensor& src, const Tensor& tgt, const TransformerCall& call) {
  const Tensor memory = encoder(src, {call.src_mask, call.trace});
  return decoder(tgt, memory, {call.tgt_mask, call.memory_mask, call.trace});
}

}  // namespace weft
