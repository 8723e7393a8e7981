// Is attention explanation? The four controls of Wiegreffe and Pinter 2019 (arXiv:1908.04626), on a
// task whose alignment is known: to write 4 to 8 random letters, of 8, from the last to the first.
//
// The model is a bidirectional GRU, a GRU that reads the letters written so far, and between them
// one attention with one head, W_o tanh(W_c [context; state]): whatever the output knows of the
// source comes through it. Each control is defined here as follows; all models train for as many
// updates, on letters drawn anew, and are measured on others, reading the right letters so far.
//
// 1. Uniform: the recurrent model trained with all weights frozen at 1/n. If it does as well, the
//    task does not need attention, and its weights need not say anything.
// 2. Seeds: the same model from another seed: how far weights and predictions are apart by chance.
// 3. Guides: a token-wise model, W_o tanh(W_c context) over tanh(W e) for the vector e of each
//    letter, with no other sight of source or target. Its weights are frozen: uniform, those of the
//    trained base model for the same letters, those of an adversary; or its own are learned, from
//    the vectors of the letter read last and of those of the source. A guide that helps says where
//    the letter is, whatever its model makes of it.
// 4. Adversary: the recurrent model from another seed, trained on the mean over target letters of
//    TVD(p, p_base) - lambda JSD(A, A_base), with p the predictions and A the weights. (The paper
//    has the Kullback-Leibler divergence in its loss and reports JSD; JSD is bounded, so that
//    lambda has one meaning.) Other weights behind the same predictions: the base's are not the
//    only explanation.
//
// Accuracy is that of letters. AER reads the strongest weight at the step that writes the letter.
// JSD, in nats, at most log 2 = 0.693, and TVD are means over target letters.
#pragma once

#include <weft/seq2seq/lab/experiments/experiment.h>

namespace weft {

struct ExplanationOptions {
  int64_t updates = 800;
  int64_t seeds = 3;                             ///< at least 2; numbers are means over them
  int64_t seed = 0;                              ///< of the first
  std::vector<double> lambdas{0.01, 0.03, 0.1};  ///< the last one's weights are also a guide
};

/// A row for each model and its weights.
ExperimentResult explanation_experiment(const ExplanationOptions& options);

}  // namespace weft
