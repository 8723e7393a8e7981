// Layer normalization over contiguous rows of length n:
//   y = h gamma + beta,  h = (x - mean) rstd,  rstd = 1 / sqrt(var + eps),  var of the n elements
// T is float or double; gamma and beta may be null (ones and zeros).
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

/// What is kept of a row for the gradient, of x times `unit`: a power of two, 1 but for rows of
/// numbers so large or so small that their squares leave T. h = (x - mean) rstd + shift, where the
/// latter makes up for what rounding took from the mean: at 1e7 +- 1 that is much of what is seen.
template <class T>
struct RowMoments {
  T unit, mean, rstd, shift;
};

/// moments [rows] are kept for the gradient. One thread. y may be x.
WEFT_KERNEL(void, layer_norm_rows, const T* x, const T* gamma, const T* beta, double eps, T* y,
            RowMoments<T>* moments, int64_t rows, int64_t n)

/// With g = dy gamma:  dx = rstd (g - avg g - h avg(g h)). One thread. dx may be dy.
WEFT_KERNEL(void, layer_norm_grad_rows, const T* x, const T* gamma, const RowMoments<T>* moments,
            const T* dy, T* dx, int64_t rows, int64_t n)

/// dgamma += sum of rows of dy h, dbeta += sum of rows of dy; either may be null. One thread.
WEFT_KERNEL(void, layer_norm_grad_affine_rows, const T* x, const RowMoments<T>* moments,
            const T* dy, T* dgamma, T* dbeta, int64_t rows, int64_t n)

/// dgamma = sum_r dy h, dbeta = sum_r dy over all rows [n]; either may be null. Threads inside, on
/// a grid that depends on the shape alone.
template <class T>
void layer_norm_grad_affine(const T* x, const RowMoments<T>* moments, const T* dy, T* dgamma,
                            T* dbeta, int64_t rows, int64_t n);

}  // namespace weft::kernels
