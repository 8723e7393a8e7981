// What all vocabularies share, and the one of whole words.
#include <weft/core/check.h>
#include <weft/core/parallel.h>
#include <weft/seq2seq/text/json.h>
#include <weft/seq2seq/text/subwords.h>
#include <weft/seq2seq/text/text_file.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <mutex>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace weft {
namespace {

constexpr size_t kShown = 40;               // characters of foreign text in a message
constexpr int64_t kSentencesAtOnce = 4096;  // for a thread
constexpr const char* kWords = "words";
constexpr const char* kSubwords = "subwords";
constexpr const char* kSpecialNames[kSpecials] = {"<pad>", "<unk>", "<s>", "</s>"};

std::filesystem::path file_in(const std::filesystem::path& dir) { return dir / "vocabulary.json"; }

class WordVocabulary : public Vocabulary {
 public:
  explicit WordVocabulary(std::vector<std::string> words) : Vocabulary(kWords, std::move(words)) {
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
      : Vocabulary(kSubwords, std::move(list)),
        coder_({std::begin(kSpecialNames), std::end(kSpecialNames)}, pieces()) {}

  std::vector<int64_t> encode(const std::string& text) const override {
    return coder_.encode(text);
  }
  std::string decode(std::span<const int64_t> ids) const override {
    check_ids(ids);
    return coder_.decode(ids);
  }

 private:
  SubwordCoder coder_;
};

// The file is hostile until every check has passed.
void check_pieces(const std::vector<std::string>& pieces, bool words, const std::string& file) {
  std::set<std::string_view> seen(std::begin(kSpecialNames), std::end(kSpecialNames));
  if (words) seen.clear();  // a word that looks like a special is still a word
  for (const std::string& piece : pieces) {
    const bool blank_free = split_words(piece) == std::vector<std::string_view>{piece};
    check(!piece.empty() && (!words || blank_free),
          "load_vocabulary: a piece must not be empty, nor a word hold blanks; got '{}' in '{}'",
          printable(piece, kShown), file);
    check(seen.insert(piece).second,
          "load_vocabulary: expected pieces that differ; got '{}' twice in '{}'",
          printable(piece, kShown), file);
  }
}

struct Contents {
  std::string kind;
  std::vector<std::string> pieces;
};

Contents parse(const std::string& text, const std::string& file) {
  try {
    const JsonObject json = parse_json(text);
    return {string_at(json, "kind"), strings_at(json, "pieces")};
  } catch (const Error& e) {
    fail("load_vocabulary: expected JSON with a kind and pieces in '{}'; {}", file, e.what());
  }
}

// A set has one order, whichever thread is first.
void add_words(std::span<const std::string> sentences, std::set<std::string>& words) {
  std::mutex mutex;
  parallel_for(std::ssize(sentences), kSentencesAtOnce, [&](int64_t begin, int64_t end) {
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

Vocabulary::Vocabulary(std::string kind, std::vector<std::string> pieces)
    : kind_(std::move(kind)), pieces_(std::move(pieces)) {}

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

void Vocabulary::save(const std::filesystem::path& dir) const {
  write_file(file_in(dir), to_json_text({{"kind", kind_}, {"pieces", pieces_}}));
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

std::unique_ptr<Vocabulary> load_vocabulary(const std::filesystem::path& dir) {
  const std::string file = file_in(dir).string();
  Contents contents = parse(read_file(file), file);
  const bool words = contents.kind == kWords;
  check(words || contents.kind == kSubwords,
        "load_vocabulary: kind must be '{}' or '{}'; got '{}' in '{}'", kWords, kSubwords,
        printable(contents.kind, kShown), file);
  check_pieces(contents.pieces, words, file);
  if (words) return std::make_unique<WordVocabulary>(std::move(contents.pieces));
  return std::make_unique<SubwordVocabulary>(std::move(contents.pieces));
}

}  // namespace weft
