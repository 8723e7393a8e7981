// Multi-head attention (Vaswani et al. 2017):
//
//   head_h = softmax(q_h k_h^T / sqrt(Dh) + mask) v_h,   output = [head_1 ... head_H] W_out + b_out
//
// with q, k, v projected from query, key and value. Names, packing and initial values of parameters
// are those of torch.nn.MultiheadAttention.
#pragma once

#include <weft/nn/attention/attention_cache.h>
#include <weft/nn/attention/attention_hooks.h>
#include <weft/nn/linear.h>
#include <weft/nn/mask.h>

#include <array>
#include <memory>
#include <optional>

namespace weft {

/// Which attention weights a call returns: none, [B, Tq, Tk] averaged over heads, or [B, H, Tq,
/// Tk]. Those per head are the ones that make the output: with retain_grad() they hold dL/dA
/// afterwards. They are taken before dropout (PyTorch: after it).
enum class AttentionWeights { none, averaged, per_head };

struct MultiheadAttentionOptions {
  int64_t embed_dim;
  int64_t num_heads;
  double dropout = 0;  ///< of attention weights, in training
  bool bias = true;
  bool add_bias_kv = false;          ///< a learned key and value that every query may attend to
  bool add_zero_attn = false;        ///< a key and value of zeros that every query may attend to
  std::optional<int64_t> kdim = {};  ///< width of key and of value where it is not embed_dim
  std::optional<int64_t> vdim = {};
  bool batch_first = false;  ///< [B, T, D] instead of [T, B, D]
};

struct AttentionCall {
  Mask mask = {};
  AttentionWeights weights = AttentionWeights::none;
  AttentionCache* cache = nullptr;  ///< for decoding step by step
};

struct AttentionResult {
  Tensor output;   ///< laid out like the query
  Tensor weights;  ///< undefined unless asked for
  std::array<Tensor*, 2> tensors() { return {&output, &weights}; }
};

class MultiheadAttention : public Layer<MultiheadAttention> {
 public:
  using Options = MultiheadAttentionOptions;
  using Call = AttentionCall;

  MultiheadAttention(const Options& options, Generator generator);

  /// query [B, Tq, embed_dim], key [B, Tk, kdim], value [B, Tk, vdim] (or [T, B, D], or [T, D]).
  /// Self-attention passes one tensor three times, attention to a memory passes it twice: then one
  /// product projects all that it can. Rows that the mask hides change no output whatever they
  /// hold, but must be finite for the gradients of the projections, where 0 times NaN is NaN.
  AttentionResult forward(const Tensor& query, const Tensor& key, const Tensor& value,
                          const AttentionCall& call = {});

  const Options& options() const { return options_; }

  /// Hooks that run in every call from now on, in the order of registration. Those on the weights
  /// come between softmax and dropout, on the composed path; what they return makes the output and
  /// is what the call returns, while Intermediates sees the weights before them.
  HookHandle register_attention_hook(AttentionHook hook);
  HookHandle register_weights_hook(WeightsHook hook);

  Tensor in_proj_weight;                               // [3 D, D] where all widths are equal
  Tensor q_proj_weight, k_proj_weight, v_proj_weight;  // [D, width] elsewhere
  Tensor in_proj_bias;                                 // [3 D]
  Tensor bias_k, bias_v;                               // [1, 1, D]

 private:
  struct Heads {
    Tensor queries;
    KeysValues memory;
  };
  AttentionResult forward_unbatched(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionCall& call);
  void check_inputs(const Tensor& query, const Tensor& key, const Tensor& value) const;
  Heads project(const Tensor& query, const Tensor& key, const Tensor& value, bool query_only);
  KeysValues project_memory(const Tensor& key, const Tensor& value, const Tensor& weight,
                            const Tensor& bias);
  Tensors to_heads(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t parts) const;
  Tensors query_and_memory_parts(const Tensor& packed) const;
  KeysValues with_extra_keys(const KeysValues& memory) const;
  Tensor merge_heads(const Tensor& y) const;
  struct InnerHooks;
  InnerHooks& inner_hooks();
  void edit_weights(AttentionStep& step) const;
  AttentionResult attend_with_hooks(AttentionStep step, AttentionWeights form);

  Options options_;
  Generator generator_;
  Linear& out_proj_;
  std::shared_ptr<InnerHooks> inner_hooks_;  // null until there is one
};

}  // namespace weft
