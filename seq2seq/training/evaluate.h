// Judging a model on a split of the corpus: loss, and attention against alignments.
#pragma once

#include <weft/seq2seq/decoding/translator.h>
#include <weft/seq2seq/run/ranks.h>
#include <weft/seq2seq/tasks/corpus.h>

namespace weft {

/// Mean negative log-likelihood of a target token of these batches, in nats, without label
/// smoothing, with the same bits at any number of ranks, which share the batches out. There must be
/// a batch.
double mean_loss(Seq2SeqModel& model, std::span<const Pair> pairs, std::span<const Batch> batches,
                 const Ranks& ranks = Ranks());

/// exp of the mean negative log-likelihood of a target token (what the vocabulary has an id for,
/// and the end of each sentence): among how many equally likely ones the model might as well
/// choose. The text must have a pair; the ranks share the pairs out.
double perplexity(Seq2SeqModel& model, const Vocabulary& vocabulary, const ParallelText& text,
                  const Ranks& ranks = Ranks());

/// The best translation of each sentence that beam search of width 1 finds; the ranks share them
/// out. An empty sentence gives an empty one.
std::vector<std::string> translate_all(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                       std::span<const std::string> sentences, const Ranks& ranks);

/// The head whose attention is nearest to the gold alignment, read at one step. The decoder is
/// given the references. Throws if the split has no alignments.
AlignmentScores::Head best_alignment_head(Seq2SeqModel& model, const Vocabulary& vocabulary,
                                          const Split& split, ReadAt step);

}  // namespace weft
