// Settings of the encoder and decoder layers, and what their calls have in common.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/attention/multihead_attention.h>

#include <optional>

namespace weft {

/// Of the feed-forward layers. swiglu (Shazeer 2020, arXiv:2002.05202): W_2 (silu(W_g x) * W_1 x),
/// with a third matrix, `linear_gate`.
enum class FeedForwardActivation { relu, gelu, swiglu };

/// Names and defaults are those of torch.nn.TransformerDecoderLayer; new are the separate dropout
/// rates, the width of the memory, swiglu, positions in self-attention and normalized queries and
/// keys.
struct TransformerLayerOptions {
  int64_t d_model;
  int64_t nhead;
  int64_t dim_feedforward = 2048;
  double dropout = 0.1;                           ///< of what is added to the residual stream
  std::optional<double> attention_dropout = {};   ///< of attention weights; `dropout` if left out
  std::optional<double> activation_dropout = {};  ///< in the feed-forward; `dropout` if left out
  FeedForwardActivation activation = FeedForwardActivation::relu;
  double layer_norm_eps = 1e-5;
  bool batch_first = false;                ///< [B, T, D] instead of [T, B, D]
  bool norm_first = false;                 ///< pre-norm instead of post-norm
  bool bias = true;                        ///< in linear layers and norms
  std::optional<int64_t> memory_dim = {};  ///< width of the memory where it is not d_model
  bool rotary = false;                     ///< positions, in self-attention
  bool relative = false;                   ///< positions, in the scores of self-attention
  bool qk_norm = false;                    ///< in every attention
};

/// Collects the attention weights of a call, an entry per layer in order:
///
///   AttentionTrace trace;
///   Tensor y = model(src, tgt, {.trace = &trace});
///   trace.cross[1].retain_grad();  // then backward: dL/dA of the second decoder layer
struct AttentionTrace {
  AttentionWeights form = AttentionWeights::per_head;
  Tensors encoder, decoder, cross;
};

}  // namespace weft
