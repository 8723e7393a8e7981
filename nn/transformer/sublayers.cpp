#include <weft/nn/transformer/sublayers.h>

#include <string>

namespace weft::detail {

MultiheadAttentionOptions self_attention_options(const TransformerLayerOptions& o) {
  MultiheadAttentionOptions self = cross_attention_options(o);
  self.kdim = self.vdim = {};
  self.rotary = o.rotary;
  self.relative = o.relative;
  return self;
}

MultiheadAttentionOptions cross_attention_options(const TransformerLayerOptions& o) {
  return {.embed_dim = o.d_model,
          .num_heads = o.nhead,
          .dropout = o.attention_dropout.value_or(o.dropout),
          .bias = o.bias,
          .kdim = o.memory_dim,
          .vdim = o.memory_dim,
          .batch_first = o.batch_first,
          .qk_norm = o.qk_norm};
}

FeedForward TransformerLayer::feed_forward(const TransformerLayerOptions& o,
                                           const Generator& generator) {
  return {child<Linear>("linear1", o.d_model, o.dim_feedforward, generator, o.bias),
          child<Dropout>("dropout", o.activation_dropout.value_or(o.dropout), generator),
          child<Linear>("linear2", o.dim_feedforward, o.d_model, generator, o.bias),
          o.activation == FeedForwardActivation::swiglu
              ? &child<Linear>("linear_gate", o.d_model, o.dim_feedforward, generator, o.bias)
              : nullptr,
          o.activation};
}

Residual TransformerLayer::residual(int number, const TransformerLayerOptions& o,
                                    const Generator& generator) {
  const std::string n = std::to_string(number);
  return {child<LayerNorm>("norm" + n, o.d_model, o.layer_norm_eps, o.bias),
          child<Dropout>("dropout" + n, o.dropout, generator), o.norm_first};
}

Tensor FeedForward::operator()(const Tensor& x) const {
  const bool watched = linear1.has_hooks() || dropout.has_hooks();
  return linear2(watched || linear_gate ? composed(x) : fused(x));
}

Tensor FeedForward::composed(const Tensor& x) const {
  const Tensor hidden = linear1(x);  // [B, T, dim_feedforward]
  if (linear_gate) return dropout(silu((*linear_gate)(x)) * hidden);
  return dropout(activation == FeedForwardActivation::relu ? relu(hidden) : gelu(hidden));
}

Tensor FeedForward::fused(const Tensor& x) const {
  const ModuleScope scope(linear1);
  const auto [p, key] = dropout.draw();
  const auto f =
      activation == FeedForwardActivation::relu ? LinearActivation::relu : LinearActivation::gelu;
  return linear_activation(x, linear1.weight, linear1.bias, {f, p, key});
}

Tensor Residual::add_and_norm(const Tensor& x, const Tensor& branch) const {
  if (norm.has_hooks() || dropout.has_hooks()) return norm(x + dropout(branch));
  const ModuleScope scope(norm);
  const auto [p, key] = dropout.draw();
  return residual_layer_norm(x, branch, norm.weight, norm.bias, {norm.eps(), p, key});
}

}  // namespace weft::detail
