// A small untrained translator and sentences for it.
#pragma once

#include <weft/core/random.h>
#include <weft/seq2seq/models/recurrent_seq2seq.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <memory>

inline std::unique_ptr<weft::TransformerSeq2Seq> small_model(int64_t vocabulary, int64_t d_model) {
  const weft::TransformerSeq2SeqOptions options{
      .vocabulary = vocabulary,
      .transformer = {.layer = {.d_model = d_model, .nhead = 4, .dim_feedforward = 2 * d_model},
                      .num_encoder_layers = 2,
                      .num_decoder_layers = 2}};
  auto model = std::make_unique<weft::TransformerSeq2Seq>(options, weft::Generator(7));
  model->eval();
  return model;
}

inline std::unique_ptr<weft::RecurrentSeq2Seq> small_recurrent_model(
    weft::RecurrentSeq2SeqOptions options) {
  options.num_layers = 2;
  auto model = std::make_unique<weft::RecurrentSeq2Seq>(options, weft::Generator(7));
  model->eval();
  return model;
}

/// As the encoder reads it, with `words` random words.
inline weft::Ids random_source(weft::Generator& random, int64_t words, int64_t vocabulary) {
  weft::Ids ids;
  for (int64_t i = 0; i < words; ++i)
    ids.push_back(weft::kSpecials + random.below(vocabulary - weft::kSpecials));
  ids.push_back(weft::kEnd);
  return ids;
}
