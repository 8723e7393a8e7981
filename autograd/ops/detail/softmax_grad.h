// The gradient of softmax as one pass over memory, for those that hold its result already.
#pragma once

#include <weft/core/tensor.h>

namespace weft::detail {

/// y (dy - sum_j y_j dy_j) along `dim`, y and dy of one shape and dtype: dL/dx for y = softmax(x)
/// and dy = dL/dy. Not on the graph.
Tensor softmax_grad(const Tensor& y, const Tensor& dy, int dim);

}  // namespace weft::detail
