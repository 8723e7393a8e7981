// The attentions of recurrent translation models, which have no heads: a query finds the average of
// the memory, weighted by the softmax of its scores.
#pragma once

#include <weft/nn/attention/multihead_attention.h>

namespace weft {

/// Additive attention (Bahdanau, Cho and Bengio 2015, arXiv:1409.0473): the score of query q and
/// memory m is v^T tanh(W q + U m). The same as Luong's "concat". Parameters `query_proj.weight` W
/// [hidden, query_dim], `memory_proj.weight` U [hidden, memory_dim], `score.weight` v [1, hidden].
class BahdanauAttention : public Layer<BahdanauAttention>, public SoftmaxAttention {
 public:
  using Call = AttentionCall;
  BahdanauAttention(int64_t query_dim, int64_t memory_dim, int64_t hidden, Generator generator);

  /// query [B, Tq, query_dim], memory [B, Tk, memory_dim] -> [B, Tq, memory_dim], and the weights
  /// as if there were one head. The call has no cache.
  AttentionResult forward(const Tensor& query, const Tensor& memory,
                          const AttentionCall& call = {});

  /// U m [B, Tk, hidden], for memory that many calls attend to; and the call that takes it.
  Tensor project_memory(const Tensor& memory) { return memory_proj_(memory); }
  AttentionResult forward(const Tensor& query, const Tensor& projected, const Tensor& memory,
                          const AttentionCall& call = {});

  int64_t num_heads() const override { return 1; }
  std::vector<HeadRows> head_rows() const override;

 private:
  Linear &query_proj_, &memory_proj_, &score_;
};

/// Multiplicative attention (Luong, Pham and Manning 2015, arXiv:1508.04025): the score is q^T m
/// ("dot"), or (W q)^T m ("general") with the parameter `query_proj.weight` W [memory_dim,
/// query_dim].
class LuongAttention : public Layer<LuongAttention>, public SoftmaxAttention {
 public:
  using Call = AttentionCall;
  /// "dot": queries have the width of the memory, and there is nothing to learn.
  LuongAttention() = default;
  /// "general"
  LuongAttention(int64_t query_dim, int64_t memory_dim, Generator generator);

  /// As above.
  AttentionResult forward(const Tensor& query, const Tensor& memory,
                          const AttentionCall& call = {});

  int64_t num_heads() const override { return 1; }
  std::vector<HeadRows> head_rows() const override;

 private:
  Linear* query_proj_ = nullptr;  // null for "dot"
};

}  // namespace weft
