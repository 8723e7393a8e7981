// Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245): each head of keys and values
// serves a run of query heads, so that a decoder keeps fewer of them. With one such head it is
// multi-query attention (Shazeer 2019, arXiv:1911.02150), with as many as query heads multi-head
// attention.
#pragma once

#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/positional.h>

namespace weft {

struct GroupedQueryAttentionOptions {
  int64_t embed_dim;
  int64_t num_heads;
  int64_t num_kv_heads;              ///< divides num_heads
  std::optional<int64_t> kdim = {};  ///< width of key and of value where it is not embed_dim
  std::optional<int64_t> vdim = {};
  double dropout = 0;   ///< of attention weights, in training
  bool bias = true;     ///< of all four projections
  bool rotary = false;  ///< turns queries and keys by their positions (RotaryPositions)
};

/// Parameters: `q_proj.*`, `k_proj.*`, `v_proj.*`, `out_proj.*`, those of Linear.
class GroupedQueryAttention : public Layer<GroupedQueryAttention>, public SoftmaxAttention {
 public:
  using Options = GroupedQueryAttentionOptions;
  using Call = AttentionCall;
  GroupedQueryAttention(const Options& options, Generator generator);

  /// query [B, Tq, embed_dim], key [B, Tk, kdim], value [B, Tk, vdim] -> [B, Tq, embed_dim].
  AttentionResult forward(const Tensor& query, const Tensor& key, const Tensor& value,
                          const AttentionCall& call = {});

  int64_t num_heads() const override { return options_.num_heads; }
  std::vector<HeadRows> head_rows() const override;

 private:
  KeysValues project_memory(const Tensor& key, const Tensor& value, int64_t first);

  Options options_;
  Generator generator_;
  Linear &q_proj_, &k_proj_, &v_proj_, &out_proj_;
  RotaryPositions& rotary_;
};

}  // namespace weft
