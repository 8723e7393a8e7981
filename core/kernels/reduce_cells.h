// The single-threaded parts of reduce.h, compiled per instruction set.
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

/// The most columns that sum_columns takes at once.
inline constexpr int64_t kBand = 128;

/// Sum of n contiguous numbers, divided by `count`; blocks of 256 are added in double. It
/// overflows where the result does, whatever its parts.
WEFT_KERNEL(T, sum_line, const T* x, int64_t n, int64_t count)

/// y[i] = sum_j x[j stride + i] / count for i < width <= kBand, likewise; partial sums of 64
/// rows are added in double.
WEFT_KERNEL(void, sum_columns, const T* x, T* y, int64_t n, int64_t width, int64_t stride,
            int64_t count)

/// Sum of squared deviations of n contiguous numbers from their mean over `divisor`, in double.
WEFT_KERNEL(T, var_line, const T* x, int64_t n, double divisor)

/// The same of `width` columns, as in sum_columns.
WEFT_KERNEL(void, var_columns, const T* x, T* y, int64_t n, int64_t width, int64_t stride,
            double divisor)

/// The extreme of n numbers that step by `stride`: the first of equals; a NaN wins.
WEFT_KERNEL(void, extreme, bool largest, const T* x, int64_t n, int64_t stride, T* y,
            int64_t* index)

/// One line of logsumexp() in reduce.h.
WEFT_KERNEL(void, logsumexp_line, const T* x, int64_t n, int64_t stride, T* y, T* top, T* log_total)

}  // namespace weft::kernels
