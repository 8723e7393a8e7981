// How far two rankings agree, ties included. Both are in [-1, 1], and NaN where one of the two has
// the same number everywhere.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

/// Spearman's rho (1904): the correlation of ranks, equals having the mean of theirs. Two tensors
/// [n], n of at least 2.
double spearman(const Tensor& a, const Tensor& b);

/// Kendall's tau-b (1945): (concordant - discordant pairs) / sqrt((pairs not tied in a) (pairs not
/// tied in b)). Two tensors [n], n of at least 2; time n^2.
double kendall(const Tensor& a, const Tensor& b);

}  // namespace weft
