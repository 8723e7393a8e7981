// Decoding with a Transformer of random weights, which writes as many ids as it is told to.
#pragma once

#include <weft/seq2seq/decoding/beam_search.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <array>

namespace weft {

/// Sentence i of `sentences`, of `source` ids, gets a translation of `shortest` + i % 5 ids.
struct DecodeCase {
  const char* name;
  int64_t d_model, ffn, heads, encoder, decoder, vocabulary, sentences, source, shortest, beam;

  int64_t length(int64_t sentence) const { return shortest + sentence % 5; }
};

/// 1e9 floating-point operations of the products in all steps of all sentences.
inline double gflop(const DecodeCase& c) {
  const auto [d, f, v] = std::array{static_cast<double>(c.d_model), static_cast<double>(c.ffn),
                                    static_cast<double>(c.vocabulary)};
  const double s = static_cast<double>(c.source);
  double total = 0;
  for (int64_t i = 0; i < c.sentences; ++i) {
    total += static_cast<double>(c.encoder) * s * (4 * d * d + 2 * d * f + 2 * s * d) +
             static_cast<double>(c.decoder) * s * 2 * d * d;
    for (int64_t step = 0; step < c.length(i); ++step) {
      const double keys = static_cast<double>(step + 1) + s;
      total += static_cast<double>(step == 0 ? 1 : c.beam) *
               (static_cast<double>(c.decoder) * (6 * d * d + 2 * d * f + 2 * keys * d) + d * v);
    }
  }
  return 2e-9 * total;
}

/// Beam search in which no translation ends before it is cut off.
class FixedLengths : public BeamSearch {
 public:
  explicit FixedLengths(const DecodeCase& c) : BeamSearch({.beam = c.beam}), case_(c) {}
  std::vector<Choice> choose(const SentenceState& sentence) const override {
    std::vector<Choice> choices = BeamSearch::choose(sentence);
    for (Choice& c : choices)
      if (c.id == kEnd) c.id = kSpecials;
    return choices;
  }
  int64_t longest(int64_t, int64_t number) const override { return case_.length(number); }

 private:
  DecodeCase case_;
};

class DecodeWork {
 public:
  DecodeWork(const DecodeCase& c, Generator gen)
      : model_({.vocabulary = c.vocabulary,
                .transformer = {.layer = {.d_model = c.d_model,
                                          .nhead = c.heads,
                                          .dim_feedforward = c.ffn},
                                .num_encoder_layers = static_cast<int>(c.encoder),
                                .num_decoder_layers = static_cast<int>(c.decoder)},
                .tied_embeddings = false},
               gen),
        strategy_(c),
        sources_(static_cast<size_t>(c.sentences)) {
    model_.eval();
    for (Ids& source : sources_) {
      while (std::ssize(source) + 1 < c.source)
        source.push_back(kSpecials + gen.below(c.vocabulary - kSpecials));
      source.push_back(kEnd);
    }
  }

  Seq2SeqModel& model() { return model_; }

  /// Decodes all sentences; the number of ids in their best translations.
  int64_t run() {
    int64_t ids = 0;
    for (const auto& found : decode(model_, sources_, strategy_)) ids += std::ssize(found[0].ids);
    return ids;
  }

 private:
  TransformerSeq2Seq model_;
  FixedLengths strategy_;
  std::vector<Ids> sources_;
};

}  // namespace weft
