#include <weft/core/error.h>
#include <weft/seq2seq/decoding/translator.h>

#include <algorithm>

namespace weft {

std::vector<std::vector<Translation>> translations(Seq2SeqModel& model,
                                                   const Vocabulary& vocabulary,
                                                   std::span<const std::string> sentences,
                                                   const Strategy& strategy,
                                                   const TranslationOptions& options) {
  std::vector<Ids> sources;
  std::vector<size_t> places;  // of the sentences that have words
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < sentences.size(); ++i) {
    Ids ids = encode_source(vocabulary, sentences[i]);
    if (ids.size() == 1) continue;
    sources.push_back(std::move(ids));
    places.push_back(i);
    numbers.push_back(options.first_number + static_cast<int64_t>(i));
  }
  std::vector<std::vector<Hypothesis>> found = decode(model, sources, strategy, numbers);
  std::vector<std::vector<Translation>> all(sentences.size());
  for (size_t s = 0; s < found.size(); ++s) {
    if (options.coverage_penalty != 0)
      rank_by_coverage(model, sources[s], options.coverage_penalty, found[s]);
    for (const Hypothesis& h : found[s]) {
      Translation& t =
          all[places[s]].emplace_back(Translation{vocabulary.decode(h.ids), h.score, h.log_prob});
      if (options.links) t.links = word_links(model, vocabulary, sources[s], h.ids);
    }
  }
  return all;
}

std::vector<std::string> translate_all(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                       std::span<const std::string> sentences,
                                       const Strategy& strategy) {
  std::vector<std::string> best;
  for (const auto& found : translations(model, vocabulary, sentences, strategy))
    best.push_back(found.empty() ? "" : found[0].text);
  return best;
}

AttentionPicture show_translation(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                  const std::string& sentence) {
  const Ids source = encode_source(vocabulary, sentence);
  if (source.size() == 1) throw Error("show: the sentence is empty");
  Ids target = decode(model, {&source, 1}, BeamSearch())[0][0].ids;
  target.insert(target.begin(), kBegin);
  target.push_back(kEnd);
  AttentionPicture picture;
  auto label = [&](int64_t id) { return id == kEnd ? std::string("</s>") : vocabulary.piece(id); };
  for (int64_t id : source) picture.source.push_back(label(id));
  for (size_t i = 1; i < target.size(); ++i) picture.target.push_back(label(target[i]));
  picture.maps = cross_attention(model, source, target);
  return picture;
}

}  // namespace weft
