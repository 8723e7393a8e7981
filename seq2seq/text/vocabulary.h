// From text to ids and back: characters, whole words, or subwords by byte-pair encoding (Sennrich
// et al., ACL 2016), computed by SentencePiece. Both sides of a corpus share a vocabulary.
#pragma once

#include <weft/core/random.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace weft {

inline constexpr int64_t kPad = 0;      ///< fills up a batch
inline constexpr int64_t kUnknown = 1;  ///< a word or character that the training text lacks
inline constexpr int64_t kBegin = 2;    ///< what the decoder reads first
inline constexpr int64_t kEnd = 3;      ///< ends a sentence
inline constexpr int64_t kSpecials = 4;

/// What a piece of a vocabulary is.
enum class Tokens { kCharacters, kWords, kSubwords };

/// "char", "word" or "subword". Throws an error that lists them if the name is none.
Tokens find_tokens(const std::string& name);
std::string name_of(Tokens tokens);

class Vocabulary {
 public:
  virtual ~Vocabulary() = default;

  /// Ids of a sentence, without begin and end. Whatever the text says, the only special id among
  /// them is kUnknown. Ill-formed UTF-8 is unknown. Runs of blanks count as one, but are characters
  /// where tokens are.
  virtual std::vector<int64_t> encode(const std::string& text) const = 0;

  /// The same cut at random, where there is more than one way: of subwords, merges are left out
  /// with probability `dropout` (merges.h). Else encode().
  virtual std::vector<int64_t> sample(const std::string& text, double /*dropout*/,
                                      Generator& /*random*/) const {
    return encode(text);
  }

  /// The text of ids; pad, begin and end are left out, unknown is written as U+2047 (double
  /// question mark). Throws on an id outside [0, size).
  virtual std::string decode(std::span<const int64_t> ids) const = 0;

  Tokens tokens() const { return tokens_; }

  /// What stands for one id, for people: a word, or a subword with U+2581 for a blank before it.
  std::string piece(int64_t id) const;

  /// Number of ids, the specials included.
  int64_t size() const;

  /// Writes vocabulary.json, a readable list of the pieces in order of their ids, sealed (seal.h).
  void save(const std::filesystem::path& dir, const std::string& run = "") const;

 protected:
  Vocabulary(Tokens tokens, std::vector<std::string> pieces);
  void check_ids(std::span<const int64_t> ids) const;
  const std::vector<std::string>& pieces() const { return pieces_; }

 private:
  Tokens tokens_;
  std::vector<std::string> pieces_;  // of id kSpecials, kSpecials + 1, ...
};

/// The words of a text (its characters, where tokens are) that are not, or not wholly, in the
/// vocabulary: each once, in their order.
std::vector<std::string> unknown_words(const Vocabulary& vocabulary, const std::string& text);

/// Every character (code point) of both sides but U+FFFD, sorted.
std::unique_ptr<Vocabulary> character_vocabulary(std::span<const std::string> source,
                                                 std::span<const std::string> target = {});

/// Every word of both sides, sorted.
std::unique_ptr<Vocabulary> word_vocabulary(std::span<const std::string> source,
                                            std::span<const std::string> target = {});

/// Byte-pair encoding with `size` ids, specials included, learnt from `sentences`: identity
/// normalization, every character covered; the same input gives the same pieces.
/// Throws if the text has too many characters, or, unless `or_fewer`, too little variety, for
/// `size`.
std::unique_ptr<Vocabulary> train_subwords(std::span<const std::string> sentences, int64_t size,
                                           bool or_fewer = false);

/// The words, or characters, of two vocabularies: those of `source`, then what `target` has
/// besides. Throws if they are of different kinds, or of subwords, whose merges are one list.
std::unique_ptr<Vocabulary> joint_vocabulary(const Vocabulary& source, const Vocabulary& target);

/// Reads what save() wrote. Throws on a file that is missing or damaged, or of another run than
/// `run`, that of config.json, if that is given.
std::unique_ptr<Vocabulary> load_vocabulary(const std::filesystem::path& dir,
                                            const std::optional<std::string>& run = {},
                                            const std::string& name = "vocabulary.json");

}  // namespace weft
