// Positions as biases of the attention scores: what a query pays for a key by its distance.
//
//   attention(x, x, x, {.mask = alibi(8, t, t) & Mask::causal()})
//   attention(x, x, x, {.mask = Mask::additive(relative_bias(t, t))})
#pragma once

#include <weft/nn/mask.h>
#include <weft/nn/module.h>

namespace weft {

/// ALiBi (Press, Smith and Lewis 2022, arXiv:2108.12409): adds -m_h |i - j| to the score of query i
/// and key j in head h. m_h = 2^(-8 h / H) for h = 1 ... H where H is a power of two; else those of
/// the power of two below H, then every other slope of the one above. `first` is the position of
/// the first query, in decoding step by step.
Mask alibi(int64_t num_heads, int64_t queries, int64_t keys, int64_t first = 0,
           DType dtype = kFloat32);

struct RelativePositionBiasOptions {
  int64_t num_heads;
  int64_t num_buckets = 32;
  int64_t max_distance = 128;  ///< from here on all distances share a bucket
  bool bidirectional = true;   ///< keys after the query have half of the buckets; else they share 0
};

/// T5's relative position bias (Raffel et al. 2020, arXiv:1910.10683): a learned number per head
/// and bucket of distances. Half of the buckets hold one distance each, the others logarithmic
/// ranges. Parameter `weight` [num_buckets, num_heads], normal with deviation 0.02.
class RelativePositionBias : public Layer<RelativePositionBias> {
 public:
  using Options = RelativePositionBiasOptions;
  RelativePositionBias(const Options& options, Generator generator);

  /// -> [1, H, Tq, Tk] for Mask::additive. `first` as in alibi().
  Tensor forward(int64_t queries, int64_t keys, int64_t first = 0);

  /// The bucket of key position minus query position.
  int64_t bucket(int64_t distance) const;

  Tensor weight;

 private:
  Options options_;
};

}  // namespace weft
