// Multi-head attention (Vaswani et al. 2017):
//
//   head_h = softmax(q_h k_h^T / sqrt(Dh) + mask) v_h,   output = [head_1 ... head_H] W_out + b_out
//
// with q, k, v projected from query, key and value. Names, packing and initial values of parameters
// are those of torch.nn.MultiheadAttention; new are rotary positions, relative ones in the scores,
// and normalized queries and keys.
#pragma once

#include <weft/nn/attention/attention_cache.h>
#include <weft/nn/attention/relative_scores.h>
#include <weft/nn/attention/softmax_attention.h>
#include <weft/nn/linear.h>
#include <weft/nn/mask.h>
#include <weft/nn/positional.h>
#include <weft/nn/rms_norm.h>

#include <optional>

namespace weft {

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
  bool rotary = false;       ///< queries and keys are turned by their positions (RotaryPositions)
  bool relative = false;     ///< positions in the scores (RelativeScores, child "relative")
  bool qk_norm =
      false;  ///< queries and keys of each head go through an RMSNorm (Henry et al. 2020,
              ///< arXiv:2010.04245; in this form, Qwen3), so that no score grows large
};

struct AttentionCall {
  Mask mask = {};
  AttentionWeights weights = AttentionWeights::none;
  AttentionCache* cache = nullptr;  ///< for decoding step by step
};

class MultiheadAttention : public Layer<MultiheadAttention>, public SoftmaxAttention {
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
  int64_t num_heads() const override { return options_.num_heads; }
  std::vector<HeadRows> head_rows() const override;

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
  void norm_and_turn(Heads& heads, int64_t first);
  Tensors query_and_memory_parts(const Tensor& packed) const;
  KeysValues with_extra_keys(const KeysValues& memory) const;
  Tensor merge_heads(const Tensor& y) const;

  Options options_;
  Generator generator_;
  Linear& out_proj_;
  RMSNorm* q_norm_ = nullptr;  // these where asked for
  RMSNorm* k_norm_ = nullptr;
  RotaryPositions* rotary_ = nullptr;
  RelativeScores* relative_ = nullptr;
};

}  // namespace weft
