#include <weft/seq2seq/text/merges.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <limits>

namespace weft {
namespace {

constexpr const char* kBlank = "\u2581";  // stands before every word
constexpr int64_t kNoPiece = std::numeric_limits<int64_t>::max();

// Where the characters of a word begin, and its end.
std::vector<size_t> character_starts(std::string_view word) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < word.size(); ++i)
    if ((static_cast<unsigned char>(word[i]) & 0xc0) != 0x80) starts.push_back(i);
  starts.push_back(word.size());
  return starts;
}

}  // namespace

Merges::Merges(const std::vector<std::string>& pieces) {
  for (const std::string& piece : pieces) ids_.emplace(piece, kSpecials + std::ssize(ids_));
}

std::vector<int64_t> Merges::encode(const std::string& text, double dropout,
                                    Generator& random) const {
  const std::string valid = encode_utf8(decode_utf8(text));
  std::vector<int64_t> ids;
  for (const std::string_view word : split_words(valid))
    append(std::string(kBlank).append(word), dropout, random, ids);
  return ids;
}

void Merges::append(std::string_view word, double dropout, Generator& random,
                    std::vector<int64_t>& ids) const {
  std::vector<size_t> starts = character_starts(word);
  const auto id_of = [&](size_t first, size_t n) {
    const auto found = ids_.find(word.substr(starts[first], starts[first + n] - starts[first]));
    return found == ids_.end() ? kNoPiece : found->second;
  };
  for (;;) {
    int64_t best = kNoPiece;
    size_t at = 0;
    for (size_t i = 0; i + 2 < starts.size(); ++i) {
      const int64_t id = id_of(i, 2);
      if (id >= best || (dropout > 0 && random.uniform() < dropout)) continue;
      best = id;
      at = i;
    }
    if (best == kNoPiece) break;
    starts.erase(starts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  for (size_t i = 0; i + 1 < starts.size(); ++i) {
    const int64_t id = id_of(i, 1);
    const bool known = id != kNoPiece;
    // A run of unknown characters is one id, as SentencePiece has it.
    if (known || ids.empty() || ids.back() != kUnknown) ids.push_back(known ? id : kUnknown);
  }
}

}  // namespace weft
