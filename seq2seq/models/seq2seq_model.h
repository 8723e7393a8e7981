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

  /// Keeps these rows, in this order; a row may be kept twice. Throws if there is none of that
  /// number, and keeps all as they were.
  virtual void keep(const Ids& rows) = 0;
};

/// What a model makes of a batch just before it predicts: logits are linear(hidden, weight, bias).
struct Prediction {
  Tensor hidden;        ///< [B, Tt - 1, D]: of each target id from those before it
  Tensor weight, bias;  ///< [V, D] and [V] of the output layer; the bias may be undefined
};

/// An encoder-decoder. A model of one's own: `class Mine : public Layer<Mine, Seq2SeqModel>`.
/// Sources end with kEnd; targets begin with kBegin and end with kEnd.
class Seq2SeqModel : public Module {
 public:
  /// What the loss is made of, from `target` but its last column. By default an Error: a model may
  /// have a loss() of its own instead, but R-Drop and word dropout need this.
  virtual Prediction predict(const PaddedIds& source, const PaddedIds& target);

  /// Mean cross-entropy, in nats, of predicting each target id from those before it; pads do not
  /// count. `label_smoothing` in [0, 1) as in cross_entropy(). By default that of predict().
  virtual Tensor loss(const PaddedIds& source, const PaddedIds& target, double label_smoothing);

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
/// What is predicted of a target [B, Tt]: all its ids but the first, [B, Tt - 1].
Tensor next_ids(const PaddedIds& target);

/// Cross-attention of every layer and head when the decoder reads `target` but its last id.
AttentionMaps cross_attention(Seq2SeqModel& model, const Ids& source, const Ids& target);

/// The loss of a prediction of `target` [B, Tt], as Seq2SeqModel::loss() has it.
Tensor loss_of(const Prediction& predicted, const PaddedIds& target, double label_smoothing);

/// How many ids of the batch's targets (kBegin ... kEnd) are predicted: all but the first of each.
int64_t predicted_tokens(std::span<const Pair> pairs, const Batch& batch);

}  // namespace weft
