#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/forced_scoring.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>

namespace weft {

ForcedScoring::ForcedScoring(std::vector<Ids> targets) : targets_(std::move(targets)) {
  for (size_t i = 0; i < targets_.size(); ++i) {
    for (const int64_t id : targets_[i])
      check(id == kUnknown || id >= kSpecials,
            "decode: a target must be of words, without begin, end and padding; got id {} in "
            "target {}",
            id, i);
    longest_ = std::max<int64_t>(longest_, std::ssize(targets_[i]) + 1);
  }
}

std::vector<Choice> ForcedScoring::choose(const SentenceState& sentence) const {
  check(sentence.number >= 0 && sentence.number < std::ssize(targets_),
        "decode: every sentence to score needs a target; got {} targets and sentence {}",
        targets_.size(), sentence.number);
  const Ids& target = targets_[static_cast<size_t>(sentence.number)];
  const size_t step = sentence.live[0].ids.size();
  return {{0, step < target.size() ? target[step] : kEnd}};
}

}  // namespace weft
