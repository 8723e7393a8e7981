#include <weft/nn/transformer/sublayers.h>

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
  return linear2(linear1.has_hooks() || dropout.has_hooks() ? composed(x) : fused(x));
}

Tensor FeedForward::composed(const Tensor& x) const {
  const Tensor hidden = linear1(x);  // [B, T, dim_feedforward]
  return dropout(activation == FeedForwardActivation::relu ? relu(hidden) : gelu(hidden));
}

Tensor FeedForward::fused(const Tensor& x) const {
  const ModuleScope scope(linear1);
  const auto [p, key] = dropout.draw();
  return linear_activation(x, linear1.weight, linear1.bias, {activation, p, key});
}

Tensor Residual::add_and_norm(const Tensor& x, const Tensor& branch) const {
  if (norm.has_hooks() || dropout.has_hooks()) return norm(x + dropout(branch));
  const ModuleScope scope(norm);
  const auto [p, key] = dropout.draw();
  return residual_layer_norm(x, branch, norm.weight, norm.bias, {norm.eps(), p, key});
}

}  // namespace weft::detail
