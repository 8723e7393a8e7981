// How much of a parameter's gradient is signal: its mean over batches against how it scatters.
//
//   GradientNoise noise;
//   for (...) {  // at the same parameters, or over a few steps
//     model.zero_grad();
//     loss(batch).backward();
//     noise.add(model.named_parameters());
//   }
//   noise.signal_to_noise("linear1.weight").item();
#pragma once

#include <weft/core/serialize.h>

#include <map>
#include <string>

namespace weft {

/// Mean and variance of gradients, element by element, in float64, as they come (Welford 1962).
class GradientNoise {
 public:
  /// Takes in the gradient that each parameter holds, grad(); those without one are passed over. An
  /// Error if a name comes with another shape than before.
  void add(const NamedTensors& parameters);

  /// |mean|^2 / sum of variances (over n - 1), for each of `groups` equal parts of the leading dim
  /// -> [groups], float64. It is batch size over noise scale, 1 / B_simple of McCandlish et al.
  /// (2018, arXiv:1812.06162) for batches of one. As |mean|^2 holds 1/n of the variance too, a
  /// gradient that is nothing but noise has about 1/n. Where nothing varies: infinity, or NaN if
  /// all is 0.
  ///
  /// The rows of MultiheadAttention's in_proj_weight in 3 num_heads groups are each head's queries,
  /// then each one's keys, then values. An Error with less than 2 gradients of that name.
  Tensor signal_to_noise(const std::string& name, int64_t groups = 1) const;

  /// Forgets all.
  void reset() { gradients_.clear(); }

 private:
  struct Moments {
    int64_t count = 0;
    Tensor mean, squares;  ///< squared deviations, summed
  };
  std::map<std::string, Moments> gradients_;
};

}  // namespace weft
