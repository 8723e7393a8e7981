#include <weft/core/detail/check.h>
#include <weft/seq2seq/decoding/forced_prefix.h>
#include <weft/seq2seq/text/vocabulary.h>

namespace weft {

ForcedPrefix::ForcedPrefix(const Strategy& inner, std::map<int64_t, Ids> prefixes)
    : inner_(inner), prefixes_(std::move(prefixes)) {
  for (const auto& [number, ids] : prefixes_)
    for (const int64_t id : ids)
      check(id == kUnknown || id >= kSpecials,
            "decode: a prefix must be of words, without begin, end and padding; got id {} for "
            "sentence {}",
            id, number);
}

const Ids& ForcedPrefix::prefix(int64_t number) const {
  static const Ids none;
  const auto found = prefixes_.find(number);
  return found == prefixes_.end() ? none : found->second;
}

std::vector<Choice> ForcedPrefix::choose(const SentenceState& sentence) const {
  const Ids& ids = prefix(sentence.number);
  const size_t step = sentence.live[0].ids.size();
  if (step < ids.size()) return {{0, ids[step]}};
  return inner_.choose(sentence);
}

int64_t ForcedPrefix::longest(int64_t source_length, int64_t number) const {
  return inner_.longest(source_length, number) + std::ssize(prefix(number));
}

}  // namespace weft
