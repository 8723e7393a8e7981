// The translation model: a Transformer (Vaswani et al., "Attention is all you need", NeurIPS 2017)
// whose one embedding matrix serves source, target and output.
#pragma once

#include <weft/nn/dropout.h>
#include <weft/nn/embedding.h>
#include <weft/nn/positional.h>
#include <weft/nn/transformer.h>
#include <weft/seq2seq/pictures/attention_map.h>
#include <weft/seq2seq/text/batching.h>
#include <weft/seq2seq/training/config.h>

namespace weft {

/// Translations in progress, a row each: what the decoder remembers of source and target.
class Decoding {
 public:
  /// Keeps these rows, in this order; a row may be kept twice.
  void keep(const Ids& rows);

 private:
  friend class TranslationModel;
  Tensor memory_;                 // [rows, Ts, D]
  std::vector<int64_t> lengths_;  // of the sources
  DecoderState state_;
  int64_t position_ = 0;  // ids read so far
};

class TranslationModel : public Layer<TranslationModel> {
 public:
  TranslationModel(const ModelConfig& config, Generator generator);

  /// Decoder states [B, Tt - 1, D] from sources [B, Ts] and targets [B, Tt] but their last column.
  Tensor forward(const PaddedIds& source, const PaddedIds& target, AttentionTrace* trace = nullptr);

  /// Mean cross-entropy of predicting each target id from those before it; pads do not count.
  Tensor loss(const PaddedIds& source, const PaddedIds& target, double label_smoothing);

  /// Reads the sources; every row has written nothing yet.
  Decoding start(const PaddedIds& source);
  /// Appends `ids` [rows, 1] to the rows and gives log-probabilities [rows, V] of what comes next.
  Tensor next_log_probs(Decoding& decoding, const Tensor& ids);

  /// Weights of every layer and head when the decoder reads `target` but its last id.
  AttentionMaps cross_attention(const Ids& source, const Ids& target);

 private:
  Tensor embed(const Tensor& ids, int64_t first_position);
  Tensor encode(const PaddedIds& source, AttentionTrace* trace = nullptr);

  int64_t d_model_;
  Embedding& embedding_;
  SinusoidalPositions& positions_;
  Dropout& dropout_;
  Transformer& transformer_;
};

/// How many ids of the batch's targets (kBegin ... kEnd) are predicted: all but the first of each.
int64_t predicted_tokens(std::span<const Pair> pairs, const Batch& batch);

struct BatchLoss {
  double mean = 0;     ///< of a target token, nats
  int64_t tokens = 0;  ///< target tokens
};
/// Adds the gradient of the mean loss over all target tokens of `batches` to the parameters': one
/// batch weighs as much as its tokens, so the parts of a batch give what the whole gives.
BatchLoss accumulate_gradients(TranslationModel& model, std::span<const Pair> pairs,
                               std::span<const Batch> batches, double label_smoothing);

}  // namespace weft
