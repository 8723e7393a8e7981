// Byte-pair encoding through SentencePiece, seen as a list of pieces: merges are ranked by their
// place in the list, so the list is the whole model, and SentencePiece never reads a file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace weft {

inline constexpr const char* kUnknownText = "\u2047";

/// How many ids the specials, the characters of the text and the blank need.
int64_t fewest_subwords(std::span<const std::string> sentences);

/// The pieces of a joint vocabulary of `size` ids, without the specials; see train_subwords.
std::vector<std::string> learn_subwords(std::span<const std::string> sentences, int64_t size,
                                        bool or_fewer);

class SubwordCoder {
 public:
  /// `specials` are the names of the first ids, kUnknown among them, and `pieces` those of the
  /// rest.
  SubwordCoder(const std::vector<std::string>& specials, const std::vector<std::string>& pieces);
  ~SubwordCoder();
  SubwordCoder(const SubwordCoder&) = delete;
  SubwordCoder& operator=(const SubwordCoder&) = delete;

  /// Words may be separated by any white space.
  std::vector<int64_t> encode(const std::string& text) const;
  /// `ids` must be in range.
  std::string decode(std::span<const int64_t> ids) const;

 private:
  struct Processor;
  std::unique_ptr<Processor> processor_;
};

}  // namespace weft
