// Linear attention (Katharopoulos et al. 2020, arXiv:2006.16236): the softmax's exp(q k) becomes a
// product of features, so that time and memory grow with T, not with T^2:
//
//   y_i = f(q_i) S / f(q_i) z,  S = sum_j f(k_j) v_j^T,  z = sum_j f(k_j),  f(x) = elu(x) + 1
//
// over all keys j, or those up to i where it is causal.
#pragma once

#include <weft/nn/linear.h>
#include <weft/nn/mask.h>

namespace weft {

/// Parameters: `q_proj.*`, `k_proj.*`, `v_proj.*`, `out_proj.*`, those of Linear.
class LinearAttention : public Layer<LinearAttention> {
 public:
  LinearAttention(int64_t embed_dim, int64_t num_heads, Generator generator);

  /// query [B, Tq, D], key and value [B, Tk, D] -> [B, Tq, D]. The mask may be causal (Tq = Tk) and
  /// forbid keys to all queries alike, as padding does; an Error for any other. Causal, it holds
  /// [B, H, T, Dh, Dh + 1] numbers. A query that may attend to nothing finds zeros.
  Tensor forward(const Tensor& query, const Tensor& key, const Tensor& value,
                 const Mask& mask = {});

 private:
  int64_t num_heads_;
  Linear &q_proj_, &k_proj_, &v_proj_, &out_proj_;
};

}  // namespace weft
