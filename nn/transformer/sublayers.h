// The parts that encoder and decoder layers share. The layers in them belong to the layer around
// them, whose parameters have PyTorch's flat names.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/dropout.h>
#include <weft/nn/layer_norm.h>
#include <weft/nn/linear.h>
#include <weft/nn/transformer/transformer_options.h>

namespace weft::detail {

inline AttentionWeights weights_for(const AttentionTrace* trace) {
  return trace ? trace->form : AttentionWeights::none;
}

/// The options of a layer's self-attention, and of its attention to a memory.
MultiheadAttentionOptions self_attention_options(const TransformerLayerOptions& options);
MultiheadAttentionOptions cross_attention_options(const TransformerLayerOptions& options);

/// y = W_2 dropout(f(W_1 x + b_1)) + b_2 with f relu or gelu; swiglu multiplies W_1 x + b_1 by
/// silu(W_g x + b_g) instead.
struct FeedForward {
  Linear& linear1;
  Dropout& dropout;
  Linear& linear2;
  Linear* linear_gate;  ///< of swiglu alone
  FeedForwardActivation activation;

  Tensor operator()(const Tensor& x) const;
  Tensor composed(const Tensor& x) const;  ///< linear1 to dropout, where hooks want to see them
  Tensor fused(const Tensor& x) const;     ///< the same as one op
};

/// Adds what a sublayer makes of x: post-norm norm(x + dropout(f(x))), pre-norm
/// x + dropout(f(norm(x))).
struct Residual {
  LayerNorm& norm;
  Dropout& dropout;
  bool norm_first;

  template <class F>
  Tensor operator()(const Tensor& x, F&& f) const {
    return norm_first ? x + dropout(f(norm(x))) : add_and_norm(x, f(x));
  }
  Tensor add_and_norm(const Tensor& x, const Tensor& branch) const;
};

/// What encoder and decoder layers have in common: how they get these parts.
class TransformerLayer : public Module {
 protected:
  /// Of children linear1, dropout, linear2 and, for swiglu, linear_gate.
  FeedForward feed_forward(const TransformerLayerOptions& options, const Generator& generator);
  /// Of children norm1 and dropout1, or those of another number.
  Residual residual(int number, const TransformerLayerOptions& options, const Generator& generator);
};

}  // namespace weft::detail
