// Beam search: at every step the best few unfinished beginnings of a translation are continued. A
// beam of one is greedy search. The search ends with as many finished translations as the beam is
// wide: the best n of them are an n-best list. They are compared by their log-probability over
//   ((5 + length) / 6)^alpha        (Wu et al., "Google's neural machine translation system", 2016)
// with the end counted in the length. Where the length limit ends the search first, what is
// unfinished comes after those that ended.
//
// Where fewer than the beam are wanted, the search ends as soon as nothing unfinished can come
// among them any more. What goes on from a log-probability s ends with at most s, as probabilities
// are at most 1, and at a length from the next one to the limit; of s over the penalty the larger
// at these two is a bound, whatever the signs of s and alpha. So the first n have the same bits as
// without.
#pragma once

#include <weft/seq2seq/decoding/decode.h>

namespace weft {

struct BeamOptions {
  int64_t beam = 1;           ///< unfinished beginnings kept at every step
  double length_penalty = 1;  ///< alpha; 0 favours short translations, larger values long ones
  /// How many of the best finished ones are wanted; 0: all. What follows them is what else ended
  /// until they were certain.
  int64_t n_best = 0;
};

class BeamSearch : public Strategy {
 public:
  /// Errors: a beam below 1, a length penalty that is not finite, n_best below 0 or above the beam.
  explicit BeamSearch(const BeamOptions& options = {});

  std::vector<Choice> choose(const SentenceState& sentence) const override;
  double score(const Hypothesis& finished) const override;  ///< log-probability over the above
  int64_t width() const override { return options_.beam; }
  bool concurrent() const override { return true; }

 private:
  BeamOptions options_;
};

}  // namespace weft
