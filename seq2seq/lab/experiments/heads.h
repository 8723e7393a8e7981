// Which heads matter: how a model does with ever fewer of them, taken out in three orders.
//
// A mask xi_h multiplies the output of head h before the output projection; 0 takes it out. L is
// the loss, the mean over target tokens. Heads go out, the smallest number first, by
//   importance  |d log p/dxi_h|, of each sentence's log-probability, a mean over sentences (Michel,
//               Levy and Neubig 2019; nn/inspect/head_importance.h)
//   curvature   what L grows by without head h, to second order (lab/head_curvature.h)
//   random      a mean over several orders.
// All are computed once, at the whole model. The value is the share of validation sentences whose
// greedy translation is the reference.
#pragma once

#include <weft/seq2seq/lab/experiments/experiment.h>

namespace weft {

struct HeadsOptions {
  int64_t sentences = 200;
  int64_t points = 12;  ///< about how many numbers of heads
  int64_t orders = 5;   ///< random ones, at least 2
  int64_t seed = 0;     ///< of these
};

/// A row for each number of heads kept. An Error if the model's attention is no MultiheadAttention.
ExperimentResult heads_experiment(const Subject& subject, const HeadsOptions& options);

}  // namespace weft
