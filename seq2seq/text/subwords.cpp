// Byte-pair encoding through SentencePiece. A model is handed over as the protocol buffer
// ModelProto (sentencepiece_model.proto), of which a few fields are enough.
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <weft/core/detail/check.h>
#include <weft/seq2seq/text/detail/protobuf.h>
#include <weft/seq2seq/text/subwords.h>
#include <weft/seq2seq/text/utf8.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <set>

namespace weft {

using protobuf::put_bytes, protobuf::put_float, protobuf::put_integer;

namespace {

// --- writing a ModelProto

enum class PieceType { kNormal = 1, kUnknownPiece = 2, kControl = 3 };

std::string piece_proto(const std::string& piece, float score, PieceType type) {
  std::string proto;
  put_bytes(proto, 1, piece);
  put_float(proto, 2, score);
  put_integer(proto, 3, static_cast<int64_t>(type));
  return proto;
}

std::string model_proto(const std::vector<std::string>& specials,
                        const std::vector<std::string>& pieces) {
  constexpr int64_t kBpe = 2;
  std::string proto, trainer, normalizer;
  for (int64_t id = 0; id < std::ssize(specials); ++id) {
    const auto type = id == kUnknown ? PieceType::kUnknownPiece : PieceType::kControl;
    put_bytes(proto, 1, piece_proto(specials[static_cast<size_t>(id)], 0, type));
  }
  float score = 0;  // merges with a higher score come first
  for (const std::string& piece : pieces) {
    put_bytes(proto, 1, piece_proto(piece, score--, PieceType::kNormal));
  }
  put_integer(trainer, 3, kBpe);
  put_bytes(trainer, 44, kUnknownText);
  put_bytes(normalizer, 1, "identity");
  put_bytes(proto, 2, trainer);
  put_bytes(proto, 3, normalizer);
  return proto;
}

// --- learning

// Longer lines SentencePiece would leave out, with a line on stderr.
constexpr size_t kMaxSentenceBytes = 4192;

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::span<const std::string> all) : all_(all) { find(); }

  bool done() const override { return at_ == all_.size(); }
  void Next() override {
    ++at_;
    find();
  }
  const std::string& value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  // SentencePiece takes only U+0020 for a blank.
  void find() {
    while (!done() && all_[at_].size() > kMaxSentenceBytes) ++at_;
    if (!done()) value_ = with_single_spaces(all_[at_]);
  }

  std::span<const std::string> all_;
  size_t at_ = 0;
  std::string value_;
};

std::string train(std::span<const std::string> sentences, int64_t size) {
  const std::unordered_map<std::string, std::string> options{
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(size)},
      {"normalization_rule_name", "identity"},
      {"character_coverage", "1.0"},
      {"pad_id", std::to_string(kPad)},
      {"unk_id", std::to_string(kUnknown)},
      {"bos_id", std::to_string(kBegin)},
      {"eos_id", std::to_string(kEnd)},
      {"hard_vocab_limit", "false"},  // a shortage is reported below, in our words
      {"max_sentence_length", std::to_string(kMaxSentenceBytes)},
      {"num_threads", "1"},
      {"minloglevel", "3"}};
  Sentences iterator(sentences);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &model);
  check(status.ok(), "train_subwords: SentencePiece cannot learn from {} sentences: {}",
        sentences.size(), status.ToString());
  return model;
}

}  // namespace

struct SubwordCoder::Processor : sentencepiece::SentencePieceProcessor {
  explicit Processor(const std::string& model) {
    const auto status = LoadFromSerializedProto(model);
    check(status.ok(), "SubwordCoder: SentencePiece rejects the pieces: {}", status.ToString());
  }
};

int64_t fewest_subwords(std::span<const std::string> sentences) {
  std::set<char32_t> characters{U'\u2581'};
  for (Sentences s(sentences); !s.done(); s.Next()) {
    for (const char32_t c : decode_utf8(s.value())) characters.insert(c);
  }
  for (const char32_t left_out : {U' ', U'\t', U'\0', U'\u2585'}) characters.erase(left_out);
  return kSpecials + std::ssize(characters);
}

std::vector<std::string> learn_subwords(std::span<const std::string> sentences, int64_t size,
                                        bool or_fewer) {
  const int64_t smallest = fewest_subwords(sentences);
  check(smallest > kSpecials + 1,
        "train_subwords: expected text; got {} sentences, all blank or of more than {} bytes",
        sentences.size(), kMaxSentenceBytes);
  constexpr int64_t kLargest = 1000000;
  check(size >= smallest && size <= kLargest,
        "train_subwords: size must be in [{}, {}], room for {} specials and {} characters of "
        "the text; got {}",
        smallest, kLargest, kSpecials, smallest - kSpecials, size);
  sentencepiece::SentencePieceProcessor trained;
  const auto status = trained.LoadFromSerializedProto(train(sentences, size));
  check(status.ok(), "train_subwords: SentencePiece made a broken model: {}", status.ToString());
  const int64_t learnt = trained.GetPieceSize();
  check(learnt == size || or_fewer,
        "train_subwords: the text is too small for {} pieces; got {}; ask for at most that "
        "many",
        size, learnt);
  std::vector<std::string> pieces;
  for (int64_t id = kSpecials; id < learnt; ++id) {
    pieces.push_back(trained.IdToPiece(static_cast<int>(id)));
  }
  return pieces;
}

SubwordCoder::SubwordCoder(const std::vector<std::string>& specials,
                           const std::vector<std::string>& pieces)
    : processor_(std::make_unique<Processor>(model_proto(specials, pieces))) {}

SubwordCoder::~SubwordCoder() = default;

std::vector<int64_t> SubwordCoder::encode(const std::string& text) const {
  std::vector<int> ids;
  const auto status = processor_->Encode(with_single_spaces(text), &ids);
  check(status.ok(), "Vocabulary::encode: SentencePiece failed: {}", status.ToString());
  return {ids.begin(), ids.end()};
}

std::string SubwordCoder::decode(std::span<const int64_t> ids) const {
  std::vector<int> narrow;
  for (const int64_t id : ids) narrow.push_back(static_cast<int>(id));
  std::string text;
  const auto status = processor_->Decode(narrow, &text);
  check(status.ok(), "Vocabulary::decode: SentencePiece failed: {}", status.ToString());
  return text;
}

}  // namespace weft
