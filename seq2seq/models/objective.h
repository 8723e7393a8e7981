// What training minimizes of a batch: the loss of the model, which it may be asked to agree on with
// itself under another dropout, linear_r_drop() of two passes. And it may hide words from the model
// that reads: word dropout (Gal and Ghahramani 2016, arXiv:1512.05287).
#pragma once

#include <weft/core/random.h>
#include <weft/seq2seq/models/seq2seq_model.h>

namespace weft {

struct ObjectiveOptions {
  double label_smoothing = 0;  ///< in [0, 1)
  double r_drop = 0;           ///< alpha; 0: one pass
  double word_dropout = 0;     ///< share of the ids read, of both sides, that are kUnknown; below 1
};

/// Of a batch, in nats, mean over target tokens. With R-Drop or word dropout it is made of calls of
/// Seq2SeqModel::predict(), in the place of loss(). Each call draws the words to drop from the
/// generator, which is that of the model's dropout.
Tensor objective(Seq2SeqModel& model, const PaddedIds& source, const PaddedIds& target,
                 const ObjectiveOptions& options, Generator generator);

/// The ids with each of this share, specials aside, replaced by kUnknown.
PaddedIds with_unknowns(PaddedIds ids, double share, Generator& generator);

/// Adds to the parameters' gradients those of a batch's part of the mean objective over `tokens`
/// target tokens, in nats, and returns that part: a batch weighs as much as its tokens, so the
/// parts of a batch give what the whole gives.
double add_gradients(Seq2SeqModel& model, std::span<const Pair> pairs, const Batch& batch,
                     int64_t tokens, const ObjectiveOptions& options, const Generator& generator);

}  // namespace weft
