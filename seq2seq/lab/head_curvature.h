// What a loss grows by without a head, to second order. With xi_h multiplying the output of head h
// and 1 for all heads,
//   L(xi_h = 0) - L = -dL/dxi_h + 1/2 d2L/dxi_h2 + ...,
// as weights are pruned by LeCun, Denker and Solla, "Optimal brain damage" (NIPS 1989), who take
// the first term for 0.
#pragma once

#include <weft/seq2seq/lab/pruning.h>

#include <span>
#include <vector>

namespace weft {

/// The right side above of each head, L being the mean loss of a target token of `pairs`, which
/// are one batch. One product with the Hessian a head; each keeps the graph of the whole batch.
std::vector<double> growth_without(Seq2SeqModel& model, std::span<const Head> heads,
                                   std::span<const Pair> pairs);

}  // namespace weft
