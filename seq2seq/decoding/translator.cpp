#include <fmt/format.h>
#include <weft/core/error.h>
#include <weft/optim/checkpoint.h>
#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/training/run_state.h>

#include <algorithm>

namespace weft {
namespace {

// Rows times columns of a batch of sources: enough to keep the cores busy, little enough to stay in
// cache.
constexpr int64_t kBatchTokens = 2048;

}  // namespace

Ids encode_source(const Vocabulary& vocabulary, const std::string& sentence) {
  Ids ids = vocabulary.encode(sentence);
  ids.resize(std::min(ids.size(), static_cast<size_t>(kLongestSource - 1)));
  ids.push_back(kEnd);
  return ids;
}

bool is_too_long(const Vocabulary& vocabulary, const std::string& sentence) {
  constexpr auto kRoom = static_cast<size_t>(kLongestSource - 1);
  if (sentence.size() < kRoom) return false;  // an id stands for a byte at least, or a blank before
  return vocabulary.encode(sentence).size() > kRoom;
}

Ids encode_target(const Vocabulary& vocabulary, const std::string& sentence) {
  Ids ids = vocabulary.encode(sentence);
  ids.insert(ids.begin(), kBegin);
  ids.push_back(kEnd);
  return ids;
}

std::vector<std::string> translate_all(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                       std::span<const std::string> sentences,
                                       const SearchOptions& options) {
  std::vector<Ids> sources;
  std::vector<size_t> places;  // of the sentences that have words
  for (size_t i = 0; i < sentences.size(); ++i) {
    Ids ids = encode_source(vocabulary, sentences[i]);
    if (ids.size() == 1) continue;
    sources.push_back(std::move(ids));
    places.push_back(i);
  }
  std::vector<std::string> translations(sentences.size());
  for (const Batch& batch : inference_batches(sources, kBatchTokens / options.beam)) {
    std::vector<Ids> rows;
    for (int64_t i : batch) rows.push_back(sources[static_cast<size_t>(i)]);
    const std::vector<Ids> found = beam_search(model, pad_ids(rows), options);
    for (size_t r = 0; r < found.size(); ++r)
      translations[places[static_cast<size_t>(batch[r])]] = vocabulary.decode(found[r]);
  }
  return translations;
}

AttentionPicture show_translation(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                  const std::string& sentence) {
  const Ids source = encode_source(vocabulary, sentence);
  if (source.size() == 1) throw Error("show: the sentence is empty");
  Ids target = beam_search(model, pad_ids({&source, 1}), {})[0];
  target.insert(target.begin(), kBegin);
  target.push_back(kEnd);
  AttentionPicture picture;
  auto label = [&](int64_t id) { return id == kEnd ? std::string("</s>") : vocabulary.piece(id); };
  for (int64_t id : source) picture.source.push_back(label(id));
  for (size_t i = 1; i < target.size(); ++i) picture.target.push_back(label(target[i]));
  picture.maps = cross_attention(model, source, target);
  return picture;
}

LoadedModel load_model(const std::filesystem::path& dir) {
  const ModelConfig config = load_config(dir);
  LoadedModel loaded{load_vocabulary(dir), nullptr};
  if (loaded.vocabulary->size() != config.vocabulary)
    throw Error(fmt::format("{}: config.json has {} ids, vocabulary.json {}", dir.string(),
                            config.vocabulary, loaded.vocabulary->size()));
  loaded.model = std::make_unique<TransformerSeq2Seq>(config, Generator(0));
  const std::string file = (dir / kBestCheckpoint).string();
  check_saved_model(load_checkpoint(file, {*loaded.model}), config, file);
  loaded.model->eval();
  return loaded;
}

}  // namespace weft
