// How attention carries positions through the layers of a model: rollout and flow (Abnar and
// Zuidema 2020, arXiv:2005.00928).
//
//   const Tensors layers = residual_layers(trace);   // an encoder-decoder's
//   const Tensor r = rollout(layers);                // [B, S + T, S + T]
#pragma once

#include <weft/core/tensor.h>
#include <weft/nn/transformer/transformer_options.h>

namespace weft {

/// A' = A/2 + I/2 for each layer of self-attention, A averaged over heads: half of what a position
/// becomes is what it was, for the residual connection. Weights [B, H, T, T] -> [B, T, T].
Tensors residual_layers(const Tensors& self_attention);

/// The same for an encoder-decoder, as one graph whose positions are the S of the source followed
/// by the T of the target. In order: each encoder layer is [A' 0; 0 I]; then each decoder layer has
/// its self-attention, [I 0; 0 A'], and its cross-attention C, [I 0; C/2 I/2]. (The paper has
/// encoders only; this is its rule where queries and keys are two sequences.) The trace holds
/// weights per head, of as many decoder as cross-attention layers. -> [B, S + T, S + T] each.
Tensors residual_layers(const AttentionTrace& trace);

/// Rollout, A'_L ... A'_2 A'_1 for layers in the order in which they run: R_ij is the part of
/// position i, above the last layer, that stems from position j below the first. Rows sum to 1 as
/// those of the layers do. Differentiable. [B, T, T] each -> [B, T, T].
Tensor rollout(const Tensors& layers);

/// Attention flow: F_ij is the largest flow from position i above the last layer down to position j
/// below the first, where the edge from i to k through a layer carries at most A'_ik. Exact up to
/// rounding (Dinic 1970), not differentiable. [B, T, T] each -> [B, T, T], float64. B T^2 flows
/// over graphs of L T^2 edges: with 6 layers 0.1 s for T = 30, 1.3 s for T = 60.
Tensor attention_flow(const Tensors& layers);

}  // namespace weft
