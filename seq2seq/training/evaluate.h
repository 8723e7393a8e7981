// Judging a model on a split of the corpus: loss, and attention against alignments.
#pragma once

#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/tasks/corpus.h>

namespace weft {

/// The pairs of a split as the model sees them.
std::vector<Pair> encode_pairs(const Vocabulary& vocabulary, const ParallelText& text);

/// Mean negative log-likelihood of a target token of these batches, in nats, without label
/// smoothing. There must be a batch.
double mean_loss(Seq2SeqModel& model, std::span<const Pair> pairs, std::span<const Batch> batches);

/// The head whose attention is nearest to the gold alignment, read at one step. The decoder is
/// given the references. Throws if the split has no alignments.
AlignmentScores::Head best_alignment_head(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                          const Split& split, ReadAt step);

}  // namespace weft
