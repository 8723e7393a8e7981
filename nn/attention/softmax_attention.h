// What attentions whose weights are the softmax of scores share: their weights on demand, and hooks
// on the inside, where those of modules do not reach.
#pragma once

#include <weft/autograd/ops.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weft {

/// Which attention weights a call returns: none, [B, Tq, Tk] averaged over heads, or [B, H, Tq,
/// Tk]. Those per head are the ones that make the output: with retain_grad() they hold dL/dA
/// afterwards. They are taken before dropout (PyTorch: after it).
enum class AttentionWeights { none, averaged, per_head };

struct AttentionResult {
  Tensor output;   ///< laid out like the query
  Tensor weights;  ///< undefined unless asked for
  std::array<Tensor*, 2> tensors() { return {&output, &weights}; }
};

/// What one call of an attention computes between its projections, on the graph.
struct AttentionStep {
  bool self;       ///< query and key are one tensor
  Tensor q, k, v;  ///< [B, H, T, Dh], with the keys that the layer adds; k and v may have fewer
                   ///< heads, each of which serves a run of query heads
  AttentionOptions options;
  Tensor softmax = {}, weights = {};  ///< [B, H, Tq, Tk] before and after weights hooks; undefined
                                      ///< if fused
  Tensor output = {};                 ///< [B, H, Tq, Dh]
};

/// Sees a step when it is done, and must not change it.
using AttentionHook = std::function<void(const AttentionStep&)>;
/// Takes the weights [B, H, Tq, Tk] before dropout; returns what stands in their place.
using WeightsHook = std::function<Tensor(const Tensor& weights)>;

/// A parameter in `parts` equal parts of its rows, each of one head: as many as there are heads,
/// one after another; a multiple, all heads once and again; or a part of them, where each serves a
/// run of query heads.
struct HeadRows {
  std::string parameter;  ///< its name in the attention: "in_proj_weight"
  int64_t parts;
};

/// MultiheadAttention, GroupedQueryAttention, BahdanauAttention and LuongAttention.
class SoftmaxAttention {
 public:
  virtual ~SoftmaxAttention() = default;

  virtual int64_t num_heads() const = 0;  ///< of queries; 1 where there are no heads
  /// What makes a head's queries, keys and values, or its scores: weights alone, no biases.
  virtual std::vector<HeadRows> head_rows() const { return {}; }

  /// Hooks that run in every call from now on, in the order of registration. Those on the weights
  /// come between softmax and dropout, on the composed path; what they return makes the output and
  /// is what the call returns, while Intermediates sees the weights before them.
  HookHandle register_attention_hook(AttentionHook hook);
  HookHandle register_weights_hook(WeightsHook hook);

 protected:
  /// Weights and output of a step, with hooks: [B, H, Tq, Dh], and weights in the form that is
  /// asked for. Fused unless something wants weights.
  AttentionResult attend(AttentionStep step, AttentionWeights form) const;

 private:
  struct InnerHooks;
  InnerHooks& inner_hooks();
  void edit_weights(AttentionStep& step) const;

  std::shared_ptr<InnerHooks> inner_hooks_;  // null until there is one
};

}  // namespace weft
