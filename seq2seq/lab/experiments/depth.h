// How much gradient cross-attention gets at each depth of a decoder before any training.
//
// A Transformer from ids to ids with initial values as in PyTorch sees one batch of random
// sentences; L is the mean loss of a target token. Of each decoder layer's cross-attention the
// gradients of W_Q, W_K and W_V, thirds of in_proj_weight, are measured by their Euclidean
// (Frobenius) norms, with the norm of a layer after or before its sublayers, and with scores
// q k / sqrt(Dh) or q k in all attention of the model. Unscaled scores are those of queries
// sqrt(Dh) times as long, so W_Q' = sqrt(Dh) W_Q is put in place of W_Q, and dL/dW_Q = sqrt(Dh)
// dL/dW_Q'.
#pragma once

#include <weft/seq2seq/lab/experiments/experiment.h>

namespace weft {

struct DepthOptions {
  int64_t layers = 6, d_model = 256, heads = 4, ffn = 1024;
  int64_t vocabulary = 1000, sentences = 16, words = 16;
  int64_t seeds = 5;  ///< that norms are averaged over
  int64_t seed = 0;   ///< of the first
};

/// A row for each norm, scale and weight; a column for each layer, the first being next to the
/// embeddings, and the ratio of the first to the last.
ExperimentResult depth_experiment(const DepthOptions& options);

}  // namespace weft
