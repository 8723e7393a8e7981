// The single-threaded parts of reduce.h, compiled per instruction set.
#pragma once

#include <weft/core/cpu.h>

#include <cstdint>

namespace weft::kernels {

/// The most columns that sum_columns takes at once.
inline constexpr int64_t kBand = 128;

WEFT_KERNELS(
    /// Sum of n contiguous numbers; blocks of 256 are added in double.
    template <class T> T sum_line(const T* x, int64_t n);
    /// y[i] = sum_j x[j stride + i] for i < width <= kBand; partial sums of 64 rows are added in
    /// double.
    template <class T> void sum_columns(const T* x, T* y, int64_t n, int64_t width, int64_t stride);
    /// The extreme of n numbers that step by `stride`: the first of equals; a NaN wins.
    template <class T>
    void extreme(bool largest, const T* x, int64_t n, int64_t stride, T* y, int64_t* index);
    template <class T> T logsumexp_line(const T* x, int64_t n, int64_t stride);)
WEFT_DISPATCH(sum_line)
WEFT_DISPATCH(sum_columns)
WEFT_DISPATCH(extreme)
WEFT_DISPATCH(logsumexp_line)

}  // namespace weft::kernels
