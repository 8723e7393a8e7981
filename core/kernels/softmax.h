// Softmax over contiguous rows of length n:  y_i = exp(x_i - m) / sum_j exp(x_j - m), m = max x.
// T is float or double; one thread. y may be x, dx may be dy. A row of -inf gives NaN.
#pragma once

#include <weft/core/cpu.h>

#include <cstdint>

namespace weft::kernels {

WEFT_KERNELS(template <class T> void softmax_rows(const T* x, T* y, int64_t rows, int64_t n);
             /// dx_i = y_i (dy_i - sum_j dy_j y_j)
             template <class T>
             void softmax_grad_rows(const T* y, const T* dy, T* dx, int64_t rows, int64_t n);

             /// y_i = x_i - m - log sum_j exp(x_j - m)
             template <class T> void log_softmax_rows(const T* x, T* y, int64_t rows, int64_t n);
             /// dx_i = dy_i - exp(y_i) sum_j dy_j
             template <class T>
             void log_softmax_grad_rows(const T* y, const T* dy, T* dx, int64_t rows, int64_t n);)
WEFT_DISPATCH(softmax_rows)
WEFT_DISPATCH(softmax_grad_rows)
WEFT_DISPATCH(log_softmax_rows)
WEFT_DISPATCH(log_softmax_grad_rows)

}  // namespace weft::kernels
