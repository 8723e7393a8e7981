// One pair of sentences under study: all that a measure may want to know of it.
#pragma once

#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/inspect/subsets.h>
#include <weft/nn/transformer/transformer_options.h>
#include <weft/seq2seq/models/seq2seq_model.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace weft {

/// Scores are sums of log-probabilities of predicted tokens: of all, or of one of them.
///
/// Predicted token t (from 0) is target[t + 1], what the decoder says after reading target[0 .. t];
/// the last one is kEnd. Rows of the decoder are t, columns of the encoder are positions of the
/// source, its kEnd included.
class Study {
 public:
  /// A source that ends with kEnd, a target from kBegin to kEnd; `token` is the one predicted token
  /// that scores are of. The model must be in eval mode and outlive the study. Errors: a source
  /// without words; a token outside the target; padding or another special id in the target.
  Study(Seq2SeqModel& model, Ids source, Ids target, std::optional<int64_t> token = {});

  Seq2SeqModel& model;
  const Ids source, target;
  /// The run over the pair, batch of one, and the log-probability of the whole target in its graph.
  AttentionTrace trace;
  Tensor log_prob;
  AttentionTrace gradients;  ///< of the score, by every weight of the trace; plain numbers

  int64_t rows() const { return std::ssize(target) - 1; }
  /// Source tokens that can be taken away: all but kEnd.
  int64_t units() const { return std::ssize(source) - 1; }
  /// Of each predicted token.
  const std::vector<double>& log_probs() const;
  double score() const;
  bool has_attention() const;

  /// What the model's table of vectors gives for the source, [1, Ts, D]; undefined if no Embedding
  /// of the model reads the source's ids.
  Tensor embeddings;
  /// The score with these in place of `embeddings`: a tensor of one element, differentiable. Of
  /// several, [N, Ts, D], the sum of the scores, in one batch.
  Tensor score_at(const Tensor& replaced) const;

  /// The score with some units alone, the others being kUnknown: positions stay as they are, where
  /// removing a token would move those behind it. Under NoGrad.
  Tensor subset_score(const Tensor& keep) const;
  /// subset_score() of all 2^n subsets, computed once. At most kMostUnits units.
  const Tensor& all_subsets() const;

  /// The layer that gave `weights`, a tensor of the trace, and the values it read; nulls if it is
  /// no MultiheadAttention.
  struct Layer {
    MultiheadAttention* attention = nullptr;
    Tensor value;
  };
  Layer layer_of(const Tensor& weights) const;

 private:
  struct Call {
    Layer layer;
    Tensor weights;
  };
  void run();
  std::vector<std::vector<float>> scored(const std::vector<Ids>& sources) const;
  AttentionTrace gradients_of_first(int64_t count) const;
  Tensor log_prob_of_first(int64_t count, int64_t times) const;

  int64_t begin_, end_;  // the predicted tokens that scores are of
  std::vector<Call> calls_;
  mutable std::vector<double> log_probs_;  // computed when they are asked for, as this is
  mutable Tensor subsets_;
};

}  // namespace weft
