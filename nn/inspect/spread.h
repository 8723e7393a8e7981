// How widely attention spreads: entropy, effective span, expected distance. All are differentiable.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

/// H_i = -sum_j A_ij log A_ij in nats, with 0 log 0 = 0 (Shannon 1948; of attention: Ghader and
/// Monz 2017, arXiv:1710.03348). A [..., Tk] -> [...]. From 0 (one key) to log Tk (all alike); 0
/// for a row of zeros, a query that may attend to nothing. The gradient -(log A_ij + 1) is infinite
/// at A_ij = 0; there it is taken for 0, which is right behind a softmax, whose own slope is 0
/// there.
Tensor entropy(const Tensor& weights);

/// exp(H_i), the number of keys that would have this entropy with equal weights: its perplexity.
/// A [..., Tk] -> [...], in [1, Tk].
Tensor effective_span(const Tensor& weights);

/// sum_j A_ij |i - j|, how far off query i looks: positions of queries and keys both count from 0
/// (Vig and Belinkov 2019, arXiv:1906.04284, there averaged over a corpus). A [..., Tq, Tk] ->
/// [..., Tq].
Tensor expected_distance(const Tensor& weights);

}  // namespace weft
