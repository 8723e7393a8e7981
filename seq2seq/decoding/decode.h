// Decoding for any model, one step at a time. decode() owns the batch: it runs the model, keeps and
// drops its rows, ends sentences and cuts off those that go on for too long. A strategy decides
// how each sentence goes on. The built-in ones are BeamSearch, Sampling, ForcedPrefix and
// ForcedScoring; one of your own is a class with one function.
#pragma once

#include <weft/seq2seq/models/seq2seq_model.h>
#include <weft/seq2seq/text/batching.h>

#include <algorithm>
#include <span>
#include <vector>

namespace weft {

/// A translation, or the beginning of one.
struct Hypothesis {
  Ids ids;                             ///< without kBegin and kEnd
  std::vector<float> token_log_probs;  ///< of each id, and of kEnd if `ended`, in nats
  double log_prob = 0;                 ///< their sum
  double score = 0;                    ///< Strategy::score of it, once it is finished
  bool ended = false;                  ///< by kEnd: otherwise it goes on, or was cut off
};

/// What a log-probability may be at most: rounding may leave that of a certainty a little above 0;
/// a model that gives logits for log-probabilities goes far beyond.
inline constexpr float kMostLogProb = 1e-3f;

/// Where one sentence stands, and what the model says of its next ids.
struct SentenceState {
  int64_t number = 0;                ///< of the sentence, whatever stands beside it in the batch
  std::span<const Hypothesis> live;  ///< beginnings of one length, at first a single empty one
  std::span<const Hypothesis> finished;  ///< those that have ended
  std::span<const float> log_probs;      ///< [live, V]: numbers, at most kMostLogProb; see next()
  int64_t longest = 0;                   ///< a hypothesis of as many ids is cut off

  /// Log-probabilities [V] of what follows live[row].
  std::span<const float> next(size_t row) const {
    const size_t ids = log_probs.size() / live.size();
    return log_probs.subspan(row * ids, ids);
  }
};

/// live[from] followed by `id`.
struct Choice {
  size_t from = 0;
  int64_t id = 0;
};

/// How sentences go on. Strategies keep nothing between calls: all of a sentence's state is in its
/// SentenceState, so its result does not depend on its companions.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// The next live beginnings, in this order; a choice of kEnd finishes one instead. Live ones that
  /// no choice continues are dropped, and the sentence is done when there are none.
  virtual std::vector<Choice> choose(const SentenceState& sentence) const = 0;

  /// What the finished are sorted by, the largest first.
  virtual double score(const Hypothesis& finished) const { return finished.log_prob; }

  /// Live beginnings that a sentence may have: batches leave room for as many.
  virtual int64_t width() const { return 1; }

  /// Whether several threads may call choose() at once, for different sentences. Those built in let
  /// them, and so does what is derived from them unless it says otherwise.
  virtual bool concurrent() const { return false; }

  /// A hypothesis of as many ids is cut off. By default no translation of a natural sentence is
  /// longer: a model that repeats itself stops there. A short source may have a long target, such
  /// as the Morse code of a word. `number` is the sentence's.
  virtual int64_t longest(int64_t source_length, int64_t /*number*/) const {
    return std::max<int64_t>(2 * source_length + 10, 64);
  }
};

/// The hypotheses of each source (ids that end with kEnd): those that ended, and after them those
/// that were cut off, each sorted by score. The model should be in eval mode.
///
/// The same bits whatever else is in `sources`, if the model's rows depend neither on each other
/// nor on padding. `numbers` are those of the sentences, 0, 1, ... if empty: for strategies that
/// tell sentences apart. Errors: an empty source; a width below 1; a choice that does not exist; a
/// sentence left without hypotheses; log-probabilities that are NaN or above kMostLogProb.
std::vector<std::vector<Hypothesis>> decode(Seq2SeqModel& model, std::span<const Ids> sources,
                                            const Strategy& strategy,
                                            std::span<const int64_t> numbers = {});

}  // namespace weft
