// Softmax over contiguous rows of length n, with m = max x. T is float or double; one thread. y may
// be x, dx may be dy. A row of -inf gives NaN.
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

/// y_i = exp(x_i - m) / sum_j exp(x_j - m)
WEFT_KERNEL(void, softmax_rows, const T* x, T* y, int64_t rows, int64_t n)

/// dx_i = y_i (dy_i - sum_j dy_j y_j)
WEFT_KERNEL(void, softmax_grad_rows, const T* y, const T* dy, T* dx, int64_t rows, int64_t n)

/// y_i = x_i - m - log sum_j exp(x_j - m)
WEFT_KERNEL(void, log_softmax_rows, const T* x, T* y, int64_t rows, int64_t n)

/// dx_i = dy_i - exp(y_i) sum_j dy_j
WEFT_KERNEL(void, log_softmax_grad_rows, const T* y, const T* dy, T* dx, int64_t rows, int64_t n)

}  // namespace weft::kernels
