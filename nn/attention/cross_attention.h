// Cross-attention: one sequence attends to another and takes in what it found,
//
//   add:          y = x + dropout(attention(x, memory))
//   concatenate:  y = W [x ; dropout(attention(x, memory))] + b
//
// with a layer norm before the attention, after the whole, or none.
#pragma once

#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/dropout.h>
#include <weft/nn/layer_norm.h>

namespace weft {

enum class Combine { add, concatenate };
enum class NormPlace { none, before, after };

struct CrossAttentionOptions {
  int64_t embed_dim;  ///< width of the query and of the result
  int64_t num_heads;
  std::optional<int64_t> kdim = {};  ///< width of keys and of values where it is not embed_dim, as
  std::optional<int64_t> vdim = {};  ///< of image features that text attends to
  Combine combine = Combine::add;
  NormPlace norm = NormPlace::before;
  double dropout = 0;            ///< of what the attention found
  double attention_dropout = 0;  ///< of attention weights
  bool bias = true;
  bool batch_first = false;  ///< [B, T, D] instead of [T, B, D]
};

/// Parameters: `attention.*`, `norm.*`, and `projection.*` [D, 2 D] where it concatenates.
class CrossAttention : public Layer<CrossAttention> {
 public:
  using Call = AttentionCall;
  CrossAttention(const CrossAttentionOptions& options, Generator generator);

  /// query [B, Tq, D], key [B, Tk, kdim], value [B, Tk, vdim] -> output of the query's shape, and
  /// weights if the call asks for them.
  AttentionResult forward(const Tensor& query, const Tensor& key, const Tensor& value,
                          const AttentionCall& call = {});
  /// The same with `memory` as key and value.
  AttentionResult forward(const Tensor& query, const Tensor& memory,
                          const AttentionCall& call = {});

 private:
  NormPlace norm_place_;
  MultiheadAttention& attention_;
  Dropout& dropout_;
  LayerNorm* norm_;     // null if there is none
  Linear* projection_;  // null where the results are added
};

}  // namespace weft
