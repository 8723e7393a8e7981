// The size of a table of the scores of all subsets.
#pragma once

#include <weft/core/tensor.h>

namespace weft::detail {

/// n for a table [2^n] of subset_scores(); an Error names `who` if it is none.
int64_t units_of(const char* who, const Tensor& scores);

/// An Error unless `scores` is floating [N].
void check_scores(const char* who, const Tensor& scores, int64_t rows);

}  // namespace weft::detail
