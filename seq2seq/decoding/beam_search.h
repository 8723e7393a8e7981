// Beam search: at every step the best few unfinished beginnings of a translation are continued. A
// beam of one is greedy search. The search ends with as many finished translations as the beam is
// wide: the best n of them are an n-best list. They are compared by their log-probability over
//   ((5 + length) / 6)^alpha        (Wu et al., "Google's neural machine translation system", 2016)
// with the end counted in the length. Where the length limit ends the search first, what is
// unfinished comes after those that ended.
#pragma once

#include <weft/seq2seq/decoding/decode.h>

namespace weft {

struct BeamOptions {
  int64_t beam = 1;           ///< unfinished beginnings kept at every step
  double length_penalty = 1;  ///< alpha; 0 favours short translations, larger values long ones
};

class BeamSearch : public Strategy {
 public:
  /// Errors: a beam below 1, a length penalty that is not finite.
  explicit BeamSearch(const BeamOptions& options = {});

  std::vector<Choice> choose(const SentenceState& sentence) const override;
  double score(const Hypothesis& finished) const override;  ///< log-probability over the above
  int64_t width() const override { return options_.beam; }

 private:
  BeamOptions options_;
};

}  // namespace weft
