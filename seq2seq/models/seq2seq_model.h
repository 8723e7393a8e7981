// What a model must offer to be trained, to translate and to be looked into: any model derived from
// Seq2SeqModel goes through the same trainer, search and pictures.
#pragma once

#include <weft/nn/module.h>
#include <weft/nn/transformer/transformer_options.h>
#include <weft/seq2seq/pictures/attention_map.h>
#include <weft/seq2seq/text/batching.h>

#include <memory>

namespace weft {

/// Translations in progress, a row each: what a model remembers of their sources and of what they
/// say so far. Made by Seq2SeqModel::start(); the model must outlive it.
class Decoding {
 public:
  virtual ~Decoding() = default;

  /// Appends `ids` [rows, 1] (int64) to the rows and gives log-probabilities [rows, V] of what
  /// comes next. The first ids are kBegin.
  virtual Tensor next_log_probs(const Tensor& ids) = 0;

  /// Keeps these rows, in this order; a row may be kept twice.
  virtual void keep(const Ids& rows) = 0;
};

/// An encoder-decoder. A model of one's own: `class Mine : public Layer<Mine, Seq2SeqModel>`.
/// Sources end with kEnd; targets begin with kBegin and end with kEnd.
class Seq2SeqModel : public Module {
 public:
  /// Mean cross-entropy, in nats, of predicting each target id from those before it; pads do not
  /// count. `label_smoothing` in [0, 1) as in cross_entropy().
  virtual Tensor loss(const PaddedIds& source, const PaddedIds& target, double label_smoothing) = 0;

  /// Reads the sources; every row has written nothing yet.
  virtual std::unique_ptr<Decoding> start(const PaddedIds& source) = 0;

  /// Attention weights of every layer, [B, H, Tq, Tk] or [B, 1, Tq, Tk], when the decoder reads
  /// `target` but its last id. In grad mode they are part of the graph of `loss`, which may be
  /// null: gradients with respect to them are those of the run that they are from. A list is empty
  /// where the model has no such attention.
  virtual AttentionTrace trace(const PaddedIds& source, const PaddedIds& target,
                               Tensor* loss = nullptr) = 0;
};

/// The ids as an int64 tensor [rows, columns].
Tensor to_tensor(const PaddedIds& ids);

/// Cross-attention of every layer and head when the decoder reads `target` but its last id.
AttentionMaps cross_attention(Seq2SeqModel& model, const Ids& source, const Ids& target);

/// How many ids of the batch's targets (kBegin ... kEnd) are predicted: all but the first of each.
int64_t predicted_tokens(std::span<const Pair> pairs, const Batch& batch);

/// Adds to the parameters' gradients those of a batch's part of the mean loss over `tokens` target
/// tokens, in nats, and returns that part: a batch weighs as much as its tokens, so the parts of a
/// batch give what the whole gives.
double add_gradients(Seq2SeqModel& model, std::span<const Pair> pairs, const Batch& batch,
                     int64_t tokens, double label_smoothing);

}  // namespace weft
