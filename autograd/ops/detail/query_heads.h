// Grouped-query attention: fewer heads of keys and values than of queries.
#pragma once

#include <weft/core/tensor.h>

namespace weft::detail {

/// Each head of keys or values for the run of `heads` / H query heads that it serves (Ainslie et
/// al. 2023, arXiv:2305.13245): [B, H, T, D] -> [B, heads, T, D]; x itself where H is `heads`.
Tensor for_query_heads(const Tensor& x, int64_t heads);

}  // namespace weft::detail
