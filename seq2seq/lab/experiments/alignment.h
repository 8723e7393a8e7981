// Which measure of attention finds the words that translate each other, and at which decoder step?
//
// The model reads validation sentences with their references. Each target word is linked to the
// source word with the largest number of a measure, in every head, in the mean over the heads of a
// layer, and in a measure's one matrix where it has no layers; at the step that reads the word (its
// offset is "input") and at the one that predicts it ("output"). The error rate is against the
// links of the task's grammar, all sure (metrics/alignment.h). Of each measure and offset the table
// has one layer and head: that with the lowest rate on as many other sentences, those that follow
// (on the same ones if none do). What is left where each of these links is right, of words that
// have several, the verdict tells.
//
// Links that the best measure gives with more evidence than one map follow, under "links": those of
// the map weighed by what maps say of the same two words in all sentences ("lexical",
// metrics/lexical_links.h); and, with a model of the other direction, those of both ("both ways").
// That model reads the same measure at the same step, in the layer and head which the same
// sentences choose for it.
//
// Beside it stands whether the measure names the source words that the score of the whole target
// rests on: normalized AOPC and the rank correlation with exact Shapley values (lab/tables.h), of
// the mean over heads of that layer, over the first sentences of at most 8 words.
#pragma once

#include <weft/seq2seq/lab/experiments/experiment.h>

namespace weft {

struct AlignmentOptions {
  int64_t sentences = 500;
  int64_t faithful = 10;  ///< sentences that all subsets of are scored
  /// A model that translates targets into sources, and the same sentences as pairs of those.
  std::optional<Subject> reverse = {};
};

/// A row for each measure and offset, and for other links of the best one, the lowest error rate
/// first; measures that give numbers for
/// tokens alone stand behind, with their faithfulness. An Error if there are no gold links between
/// what are tokens to the model, or other sentences in the reverse direction.
ExperimentResult alignment_experiment(const Subject& subject, const AlignmentOptions& options);

}  // namespace weft
