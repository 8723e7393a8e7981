// Interventions: a run in which something of another run, or of one's own, stands in place of what
// a layer computed. Each lasts until its handle removes it, in training too. Gradients flow to what
// is put in, and to what is still used of what was there.
//
//   HookHandle frozen = set_weights(attention, record.weights());
//   HookHandle cut = set_weights(attention, scalar(0), edges({H, Tq, Tk}, {{h, i, j}}));
//
// A head is taken out by mask_heads() (head_importance.h).
#pragma once

#include <weft/nn/attention/softmax_attention.h>
#include <weft/nn/module.h>

#include <vector>

namespace weft {

/// From query to key in one head.
struct AttentionEdge {
  int64_t head, query, key;
};

/// Bool, of shape [H, Tq, Tk]: true at these edges. An Error if one is outside.
Tensor edges(const Shape& shape, const std::vector<AttentionEdge>& list);

/// Multiplies attention weights, after softmax and before dropout, by `factors`, which broadcast to
/// [B, H, Tq, Tk] and have the dtype of the layer. Rows need not sum to 1 then. The layer takes the
/// composed path. An Error, when the layer runs, if the factors do not fit.
HookHandle scale_weights(SoftmaxAttention& attention, const Tensor& factors);

/// Puts `weights`, which broadcast to [B, H, Tq, Tk], in place of the attention weights, or only
/// `at` those where this is true (bool, broadcasts likewise). They are used as they are: also where
/// the mask hides, and whatever a row sums to. Those of a recorded run freeze attention: no
/// gradient flows to queries and keys. Path and errors as above.
HookHandle set_weights(SoftmaxAttention& attention, const Tensor& weights, const Tensor& at = {});

/// Puts `activation`, of a run before, in place of the (first) output of a module, or only `at`
/// where this is true (bool). Both broadcast to the output: unsqueeze(positions, -1) are some
/// positions, [T], of [B, T, D]. An Error, when the module runs, if they do not fit.
HookHandle patch(Module& module, const Tensor& activation, const Tensor& at = {});

}  // namespace weft
