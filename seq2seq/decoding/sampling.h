// Sampling: each next id is drawn from the model's probabilities p, sharpened or flattened by a
// temperature T and restricted to the k likeliest ids (Fan et al., "Hierarchical neural story
// generation", ACL 2018):
//   q_i = p_i^(1/T) / sum over those of p_j^(1/T)
// and then to the nucleus (Holtzman et al., "The curious case of neural text degeneration", ICLR
// 2020): the fewest of the likeliest ids whose q sum up to `top_p`, by q once more.
#pragma once

#include <weft/seq2seq/decoding/decode.h>

#include <cstdint>
#include <optional>

namespace weft {

struct SamplingOptions {
  double temperature = 1;             ///< towards 0 greedy search, larger values more random
  std::optional<int64_t> top_k = {};  ///< without it, any id
  std::optional<double> top_p = {};   ///< without it, all of these
  uint64_t seed = 0;                  ///< of all draws
  int64_t samples = 1;                ///< of each sentence
};

/// What is drawn depends on the seed, the number of the sentence and its log-probabilities alone.
/// Hypotheses have the log-probabilities that the model gives, whatever the temperature.
class Sampling : public Strategy {
 public:
  /// Errors: a temperature that is not positive and finite, a top_k or samples below 1, a
  /// top_p outside (0, 1].
  explicit Sampling(const SamplingOptions& options = {});

  std::vector<Choice> choose(const SentenceState& sentence) const override;
  int64_t width() const override { return options_.samples; }
  bool concurrent() const override { return true; }

 private:
  int64_t draw(const SentenceState& sentence, size_t row, double uniform) const;

  SamplingOptions options_;
};

}  // namespace weft
