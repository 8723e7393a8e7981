// Positions inside the attention scores: what a query asks of a distance.
#pragma once

#include <weft/nn/module.h>
#include <weft/nn/positional.h>

#include <array>

namespace weft {

/// Transformer-XL's relative positions (Dai et al. 2019, arXiv:1901.02860): in each head query i
/// gives key j the score
///
///   ((q_i + u) k_j + (q_i + v) W s(j - i)) / sqrt(Dh)
///
/// with s the sinusoidal vector of the distance. Parameters `weight` (W) [D, D], Xavier-uniform;
/// `content_bias` (u) and `position_bias` (v) [D], zeros.
class RelativeScores : public Layer<RelativeScores> {
 public:
  RelativeScores(int64_t embed_dim, int64_t num_heads, Generator generator);

  struct Result {
    Tensor queries;  ///< q + u, of the shape of q: their products with keys are the first term
    Tensor scores;   ///< [B, H, Tq, keys], scaled, for Mask::additive: the second term
    std::array<Tensor*, 2> tensors() { return {&queries, &scores}; }
  };
  /// q [B, H, Tq, Dh], for so many keys. `first` is the position of the first query, in decoding
  /// step by step.
  Result forward(const Tensor& q, int64_t keys, int64_t first = 0);

  Tensor weight, content_bias, position_bias;

 private:
  int64_t embed_dim_, num_heads_;
  detail::PositionTable table_;
};

}  // namespace weft
