// Hooks on the inside of MultiheadAttention, where those of modules do not reach.
#pragma once

#include <weft/autograd/ops.h>

#include <functional>

namespace weft {

/// What one call of a MultiheadAttention computes between its projections, on the graph.
struct AttentionStep {
  bool self;       ///< query and key are one tensor
  Tensor q, k, v;  ///< [B, H, T, Dh], with the keys that the layer adds
  AttentionOptions options;
  Tensor softmax, weights;  ///< [B, H, Tq, Tk] before and after weights hooks; undefined if fused
  Tensor output;            ///< [B, H, Tq, Dh]
};

/// Sees a step when it is done, and must not change it.
using AttentionHook = std::function<void(const AttentionStep&)>;
/// Takes the weights [B, H, Tq, Tk] before dropout; returns what stands in their place.
using WeightsHook = std::function<Tensor(const Tensor& weights)>;

}  // namespace weft
