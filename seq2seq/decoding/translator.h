// Sentences in, sentences out: a model and its vocabulary, together.
#pragma once

#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/decoding/source_words.h>
#include <weft/seq2seq/pictures/attention_picture.h>
#include <weft/seq2seq/text/pairs.h>

#include <span>
#include <string>

namespace weft {

struct Translation {
  std::string text;
  double score = 0;              ///< Strategy::score: for BeamSearch normalised by the length
  double log_prob = 0;           ///< of its ids and its end, in nats
  std::vector<Link> links = {};  ///< word_links(), if they are asked for
};

struct TranslationOptions {
  int64_t first_number = 0;     ///< of the first sentence: sampling depends on numbers
  double coverage_penalty = 0;  ///< beta of rank_by_coverage(); 0 leaves the order as it is
  bool links = false;           ///< whether to link the words of the sentence and its translation
};
/// All that the strategy finds for each sentence, the best first: of a beam search as many as the
/// beam is wide, of sampling the samples. An empty sentence has none.
std::vector<std::vector<Translation>> translations(Seq2SeqModel& model,
                                                   const Vocabulary& vocabulary,
                                                   std::span<const std::string> sentences,
                                                   const Strategy& strategy,
                                                   const TranslationOptions& options = {});

/// The best translation of each sentence; an empty sentence gives an empty one.
std::vector<std::string> translate_all(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                       std::span<const std::string> sentences,
                                       const Strategy& strategy = BeamSearch());

/// Translates a sentence and gives the cross-attention that led to it: row t is the step that
/// produced target piece t. Throws on an empty sentence.
AttentionPicture show_translation(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                  const std::string& sentence);

}  // namespace weft
