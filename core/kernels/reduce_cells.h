// The single-threaded parts of reduce.h, compiled per instruction set.
#pragma once

#include <weft/core/cpu.h>

#include <cstdint>

namespace weft::kernels {

/// The most columns that sum_columns takes at once.
inline constexpr int64_t kBand = 128;

WEFT_KERNELS(
    /// Sum of n contiguous numbers, divided by `count`; blocks of 256 are added in double. It
    /// overflows where the result does, whatever its parts.
    template <class T> T sum_line(const T* x, int64_t n, int64_t count);
    /// y[i] = sum_j x[j stride + i] / count for i < width <= kBand, likewise; partial sums of 64
    /// rows are added in double.
    template <class T>
    void sum_columns(const T* x, T* y, int64_t n, int64_t width, int64_t stride, int64_t count);
    /// Sum of squared deviations from the mean over `divisor`, in double: of n contiguous numbers,
    /// and of `width` columns as above.
    template <class T> T var_line(const T* x, int64_t n, double divisor); template <class T>
    void var_columns(const T* x, T* y, int64_t n, int64_t width, int64_t stride, double divisor);
    /// The extreme of n numbers that step by `stride`: the first of equals; a NaN wins.
    template <class T>
    void extreme(bool largest, const T* x, int64_t n, int64_t stride, T* y, int64_t* index);
    /// One line of logsumexp() in reduce.h.
    template <class T>
    void logsumexp_line(const T* x, int64_t n, int64_t stride, T* y, T* top, T* log_total);)
WEFT_DISPATCH(sum_line)
WEFT_DISPATCH(sum_columns)
WEFT_DISPATCH(var_line)
WEFT_DISPATCH(var_columns)
WEFT_DISPATCH(extreme)
WEFT_DISPATCH(logsumexp_line)

}  // namespace weft::kernels
