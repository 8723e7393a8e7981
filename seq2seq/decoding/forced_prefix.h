// Translations that begin as they are told to: another strategy goes on from there.
#pragma once

#include <weft/seq2seq/decoding/decode.h>

#include <map>

namespace weft {

/// A prefix counts in log-probabilities and scores as if the strategy had chosen it, and makes the
/// longest translation longer by itself.
class ForcedPrefix : public Strategy {
 public:
  /// The translation of sentence number i begins with prefixes[i], without kBegin; one without a
  /// prefix begins as `inner` likes. `inner` must outlive this. Errors: a prefix with kPad, kBegin,
  /// kEnd or a negative id in it.
  ForcedPrefix(const Strategy& inner, std::map<int64_t, Ids> prefixes);

  /// Errors: an id beyond the model's.
  std::vector<Choice> choose(const SentenceState& sentence) const override;
  double score(const Hypothesis& finished) const override { return inner_.score(finished); }
  int64_t width() const override { return inner_.width(); }
  bool concurrent() const override { return inner_.concurrent(); }
  int64_t longest(int64_t source_length, int64_t number) const override;

 private:
  const Ids& prefix(int64_t number) const;

  const Strategy& inner_;
  std::map<int64_t, Ids> prefixes_;
};

}  // namespace weft
