// What all vocabularies share, and those of characters and of whole words.
#include <fmt/ranges.h>
#include <weft/core/detail/check.h>
#include <weft/core/parallel.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/merges.h>
#include <weft/seq2seq/text/seal.h>
#include <weft/seq2seq/text/subwords.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace weft {
namespace {

constexpr size_t kShown = 40;                  // characters of foreign text in a message
constexpr int64_t kSentencesPerThread = 4096;  // for a thread
// Names for people, and in files; in the order of Tokens.
constexpr const char* kTokenNames[] = {"char", "word", "subword"};
constexpr const char* kKinds[] = {"characters", "words", "subwords"};
constexpr const char* kSpecialNames[kSpecials] = {"<pad>", "<unk>", "<s>", "</s>"};

class CharacterVocabulary : public Vocabulary {
 public:
  explicit CharacterVocabulary(std::vector<std::string> characters)
      : Vocabulary(Tokens::kCharacters, std::move(characters)) {
    for (const std::string& c : pieces())
      ids_.emplace(decode_utf8(c)[0], kSpecials + std::ssize(ids_));
  }

  std::vector<int64_t> encode(const std::string& text) const override {
    const std::u32string characters = decode_utf8(text);
    std::vector<int64_t> ids;
    ids.reserve(characters.size() + 2);  // for begin and end
    for (const char32_t c : characters) {
      const auto found = ids_.find(c);
      ids.push_back(found == ids_.end() ? kUnknown : found->second);
    }
    return ids;
  }

  std::string decode(std::span<const int64_t> ids) const override {
    check_ids(ids);
    std::string text;
    for (const int64_t id : ids)
      if (id >= kSpecials || id == kUnknown) text += id == kUnknown ? kUnknownText : piece(id);
    return text;
  }

 private:
  std::unordered_map<char32_t, int64_t> ids_;
};

class WordVocabulary : public Vocabulary {
 public:
  explicit WordVocabulary(std::vector<std::string> words)
      : Vocabulary(Tokens::kWords, std::move(words)) {
    for (const std::string& word : pieces()) ids_.emplace(word, kSpecials + std::ssize(ids_));
  }

  std::vector<int64_t> encode(const std::string& text) const override {
    const std::vector<std::string_view> words = split_words(text);
    std::vector<int64_t> ids;
    ids.reserve(words.size() + 2);  // for begin and end
    for (const std::string_view word : words) {
      const auto found = ids_.find(word);
      ids.push_back(found == ids_.end() ? kUnknown : found->second);
    }
    return ids;
  }

  std::string decode(std::span<const int64_t> ids) const override {
    check_ids(ids);
    std::string text;
    for (const int64_t id : ids) {
      if (id < kSpecials && id != kUnknown) continue;
      if (!text.empty()) text += ' ';
      text += id == kUnknown ? kUnknownText : piece(id);
    }
    return text;
  }

 private:
  std::unordered_map<std::string_view, int64_t> ids_;  // of pieces()
};

class SubwordVocabulary : public Vocabulary {
 public:
  explicit SubwordVocabulary(std::vector<std::string> list)
      : Vocabulary(Tokens::kSubwords, std::move(list)),
        coder_({std::begin(kSpecialNames), std::end(kSpecialNames)}, pieces()),
        merges_(pieces()) {}

  std::vector<int64_t> encode(const std::string& text) const override {
    return coder_.encode(text);
  }
  std::vector<int64_t> sample(const std::string& text, double dropout,
                              Generator& random) const override {
    return merges_.encode(text, dropout, random);
  }
  std::string decode(std::span<const int64_t> ids) const override {
    check_ids(ids);
    return coder_.decode(ids);
  }

 private:
  SubwordCoder coder_;
  Merges merges_;
};

bool is_piece(const std::string& text, Tokens tokens) {
  if (tokens == Tokens::kWords) return split_words(text) == std::vector<std::string_view>{text};
  if (tokens == Tokens::kCharacters) return !invalid_utf8(text) && decode_utf8(text).size() == 1;
  return !text.empty();
}

// The file is hostile until every check has passed.
void check_pieces(const std::vector<std::string>& pieces, Tokens tokens, const std::string& file) {
  std::set<std::string_view> seen;
  if (tokens == Tokens::kSubwords)  // a word that looks like a special is still a word
    seen.insert(std::begin(kSpecialNames), std::end(kSpecialNames));
  for (const std::string& piece : pieces) {
    check(is_piece(piece, tokens),
          "load_vocabulary: a piece must not be empty, nor a word hold blanks, nor a character be "
          "several; got '{}' in '{}'",
          printable(piece, kShown), file);
    check(seen.insert(piece).second,
          "load_vocabulary: expected pieces that differ; got '{}' twice in '{}'",
          printable(piece, kShown), file);
  }
}

struct Contents {
  std::string run, kind;
  std::vector<std::string> pieces;
};

Contents parse(const std::string& text, const std::string& file) {
  try {
    JsonObject json = parse_json(text);
    std::string run = open_seal(json);
    return {std::move(run), string_at(json, "kind"), strings_at(json, "pieces")};
  } catch (const Error& e) {
    fail("load_vocabulary: expected JSON with a kind and pieces in '{}'; {}", file, e.what());
  }
}

std::unique_ptr<Vocabulary> vocabulary_of(Tokens tokens, std::vector<std::string> pieces) {
  if (tokens == Tokens::kCharacters)
    return std::make_unique<CharacterVocabulary>(std::move(pieces));
  if (tokens == Tokens::kWords) return std::make_unique<WordVocabulary>(std::move(pieces));
  return std::make_unique<SubwordVocabulary>(std::move(pieces));
}

// A set has one order, whichever thread is first.
void add_words(std::span<const std::string> sentences, std::set<std::string>& words) {
  std::mutex mutex;
  parallel_for(std::ssize(sentences), kSentencesPerThread, [&](int64_t begin, int64_t end) {
    std::unordered_set<std::string_view> found;
    for (int64_t i = begin; i < end; ++i) {
      for (const std::string_view word : split_words(sentences[static_cast<size_t>(i)]))
        found.insert(word);
    }
    const std::lock_guard lock(mutex);
    words.insert(found.begin(), found.end());
  });
}

}  // namespace

Tokens find_tokens(const std::string& name) {
  const auto* found = std::find(std::begin(kTokenNames), std::end(kTokenNames), name);
  check(found != std::end(kTokenNames), "tokens: must be one of {}; got '{}'",
        fmt::join(kTokenNames, ", "), name);
  return static_cast<Tokens>(found - std::begin(kTokenNames));
}

std::string name_of(Tokens tokens) { return kTokenNames[static_cast<int>(tokens)]; }

Vocabulary::Vocabulary(Tokens tokens, std::vector<std::string> pieces)
    : tokens_(tokens), pieces_(std::move(pieces)) {}

int64_t Vocabulary::size() const { return kSpecials + std::ssize(pieces_); }

std::string Vocabulary::piece(int64_t id) const {
  check_ids({&id, 1});
  return id < kSpecials ? kSpecialNames[id] : pieces_[static_cast<size_t>(id - kSpecials)];
}

void Vocabulary::check_ids(std::span<const int64_t> ids) const {
  for (const int64_t id : ids) {
    check(id >= 0 && id < size(), "Vocabulary: id must be in [0, {}); got {}", size(), id);
  }
}

void Vocabulary::save(const std::filesystem::path& dir, const std::string& run) const {
  write_file(dir / "vocabulary.json",
             seal_json({{"kind", kKinds[static_cast<int>(tokens_)]}, {"pieces", pieces_}}, run));
}

std::vector<std::string> unknown_words(const Vocabulary& vocabulary, const std::string& text) {
  std::vector<std::string> parts, unknown;
  if (vocabulary.tokens() == Tokens::kCharacters)
    for (const char32_t c : decode_utf8(text)) parts.push_back(encode_utf8({&c, 1}));
  else
    for (const std::string_view word : split_words(text)) parts.emplace_back(word);
  std::set<std::string> seen;
  for (std::string& part : parts) {
    if (!seen.insert(part).second) continue;
    const std::vector<int64_t> ids = vocabulary.encode(part);
    if (std::find(ids.begin(), ids.end(), kUnknown) != ids.end())
      unknown.push_back(std::move(part));
  }
  return unknown;
}

std::unique_ptr<Vocabulary> character_vocabulary(std::span<const std::string> source,
                                                 std::span<const std::string> target) {
  std::set<char32_t> characters;
  for (const auto& side : {source, target})
    for (const std::string& sentence : side)
      for (const char32_t c : decode_utf8(sentence)) characters.insert(c);
  characters.erase(U'\ufffd');  // stands for ill-formed bytes, which are unknown
  std::vector<std::string> pieces;
  for (const char32_t c : characters) pieces.push_back(encode_utf8({&c, 1}));
  return std::make_unique<CharacterVocabulary>(std::move(pieces));
}

std::unique_ptr<Vocabulary> word_vocabulary(std::span<const std::string> source,
                                            std::span<const std::string> target) {
  std::set<std::string> words;
  for (const auto& side : {source, target}) add_words(side, words);
  return std::make_unique<WordVocabulary>(std::vector<std::string>(words.begin(), words.end()));
}

std::unique_ptr<Vocabulary> train_subwords(std::span<const std::string> sentences, int64_t size,
                                           bool or_fewer) {
  return std::make_unique<SubwordVocabulary>(learn_subwords(sentences, size, or_fewer));
}

std::unique_ptr<Vocabulary> joint_vocabulary(const Vocabulary& source, const Vocabulary& target) {
  check(source.tokens() == target.tokens() && source.tokens() != Tokens::kSubwords,
        "vocabularies of source and target must both be of words or both of characters; got those "
        "of {}s and {}s",
        name_of(source.tokens()), name_of(target.tokens()));
  std::vector<std::string> pieces;
  for (int64_t id = kSpecials; id < source.size(); ++id) pieces.push_back(source.piece(id));
  for (int64_t id = kSpecials; id < target.size(); ++id)
    if (std::string piece = target.piece(id); source.encode(piece)[0] == kUnknown)
      pieces.push_back(std::move(piece));
  return vocabulary_of(source.tokens(), std::move(pieces));
}

std::unique_ptr<Vocabulary> load_vocabulary(const std::filesystem::path& dir,
                                            const std::optional<std::string>& run,
                                            const std::string& name) {
  const std::string file = (dir / name).string();
  Contents contents = parse(read_file(file), file);
  if (run) check_same_run(file, contents.run, "config.json", *run);
  const auto* kind = std::find(std::begin(kKinds), std::end(kKinds), contents.kind);
  check(kind != std::end(kKinds), "load_vocabulary: kind must be one of {}; got '{}' in '{}'",
        fmt::join(kKinds, ", "), printable(contents.kind, kShown), file);
  const auto tokens = static_cast<Tokens>(kind - std::begin(kKinds));
  check_pieces(contents.pieces, tokens, file);
  return vocabulary_of(tokens, std::move(contents.pieces));
}

}  // namespace weft
