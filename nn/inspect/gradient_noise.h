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
#include <vector>

namespace weft {

/// Mean and variance of gradients as they come (Welford 1962): the mean element by element, in
/// their dtype; variances summed row by row, in float64. The same bits at any number of threads.
class GradientNoise {
 public:
  /// Takes in the gradient that each parameter holds, grad(); those without one are passed over. An
  /// Error if a name comes with another shape than before.
  void add(const NamedTensors& parameters);

  /// How many gradients of that name came.
  int64_t count(const std::string& name) const;

  /// |mean|^2 for each of `groups` equal parts of the leading dim -> [groups], float64. It holds
  /// 1/n of the noise too.
  ///
  /// What groups are heads SoftmaxAttention::head_rows() says: those of MultiheadAttention's
  /// in_proj_weight are each head's queries, then each one's keys, then values, 3 num_heads in all.
  /// An Error with less than 2 gradients of that name.
  Tensor signal(const std::string& name, int64_t groups = 1) const;

  /// The sum of variances (over n - 1), likewise. The mean of |gradient|^2 is
  /// signal + noise (n - 1) / n.
  Tensor noise(const std::string& name, int64_t groups = 1) const;

  /// signal / noise. It is batch size over noise scale, 1 / B_simple of McCandlish et al. (2018,
  /// arXiv:1812.06162) for batches of one. A gradient that is nothing but noise has about 1/n.
  /// Where nothing varies: infinity, or NaN if all is 0.
  Tensor signal_to_noise(const std::string& name, int64_t groups = 1) const;

  /// Forgets all.
  void reset() { gradients_.clear(); }

 private:
  struct Moments {
    int64_t count = 0;
    Tensor mean;
    std::vector<double> squares;  ///< squared deviations, summed over each row
  };
  const Moments& moments(const std::string& name, int64_t groups) const;

  std::map<std::string, Moments> gradients_;
};

}  // namespace weft
