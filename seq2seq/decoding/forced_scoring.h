// Forced scoring: what a model thinks of given translations. Over a batch, the mean of all
// token_log_probs is minus Seq2SeqModel::loss without label smoothing.
#pragma once

#include <weft/seq2seq/decoding/decode.h>

namespace weft {

/// Gives the one hypothesis whose ids are the sentence's target, with their log-probabilities and
/// that of the end after them.
class ForcedScoring : public Strategy {
 public:
  /// The target of sentence number i is targets[i], without kBegin and kEnd; it may be empty.
  /// Errors: one with kPad, kBegin, kEnd or a negative id in it.
  explicit ForcedScoring(std::vector<Ids> targets);

  /// Errors: a sentence without a target, an id beyond the model's.
  std::vector<Choice> choose(const SentenceState& sentence) const override;
  int64_t longest(int64_t, int64_t) const override { return longest_; }
  bool concurrent() const override { return true; }

 private:
  std::vector<Ids> targets_;
  int64_t longest_ = 1;  // more than any target has
};

}  // namespace weft
