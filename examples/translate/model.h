// The translation model: a Transformer (Vaswani et al., "Attention is all you need", NeurIPS 2017)
// whose one embedding matrix serves source, target and output.
#pragma once

#include <examples/translate/attention_map.h>
#include <examples/translate/batching.h>
#include <examples/translate/config.h>
#include <weft/weft.h>

namespace translate {

/// Translations in progress, a row each: what the decoder remembers of source and target.
class Decoding {
 public:
  /// Keeps these rows, in this order; a row may be kept twice.
  void keep(const Ids& rows);

 private:
  friend class TranslationModel;
  weft::Tensor memory_;           // [rows, Ts, D]
  std::vector<int64_t> lengths_;  // of the sources
  weft::DecoderState state_;
  int64_t position_ = 0;  // ids read so far
};

class TranslationModel : public weft::Layer<TranslationModel> {
 public:
  TranslationModel(const ModelConfig& config, weft::Generator generator);

  /// Decoder states [B, Tt - 1, D] from sources [B, Ts] and targets [B, Tt] but their last column.
  weft::Tensor forward(const PaddedIds& source, const PaddedIds& target,
                       weft::AttentionTrace* trace = nullptr);

  /// Mean cross-entropy of predicting each target id from those before it; pads do not count.
  weft::Tensor loss(const PaddedIds& source, const PaddedIds& target, double label_smoothing);

  /// Reads the sources; every row has written nothing yet.
  Decoding start(const PaddedIds& source);
  /// Appends `ids` [rows, 1] to the rows and gives log-probabilities [rows, V] of what comes next.
  weft::Tensor next_log_probs(Decoding& decoding, const weft::Tensor& ids);

  /// Weights of every layer and head when the decoder reads `target` but its last id.
  AttentionMaps cross_attention(const Ids& source, const Ids& target);

 private:
  weft::Tensor embed(const weft::Tensor& ids, int64_t first_position);
  weft::Tensor encode(const PaddedIds& source, weft::AttentionTrace* trace = nullptr);

  int64_t d_model_;
  weft::Embedding& embedding_;
  weft::SinusoidalPositions& positions_;
  weft::Dropout& dropout_;
  weft::Transformer& transformer_;
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

}  // namespace translate
