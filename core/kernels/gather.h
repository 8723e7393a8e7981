// Moving rows and strided data. T is float, double, int64_t or bool.
#pragma once

#include <weft/core/shape.h>

#include <cstdint>

namespace weft::kernels {

/// y[i, :] = table[index[i], :], rows of n elements, contiguous. Indices must be valid.
template <class T>
void gather_rows(const T* table, const int64_t* index, T* y, int64_t count, int64_t n);

/// table[index[i], :] += x[i, :] in the order of i (float, double). Threads cut the columns.
template <class T>
void scatter_add_rows(const T* x, const int64_t* index, T* table, int64_t count, int64_t n);

/// y (contiguous, of this shape) = x with these strides in elements, 0 and negative included.
template <class T>
void copy_strided(const T* x, const Shape& shape, const Shape& strides, T* y);

/// The other way: y with these strides = x (contiguous). Elements of y must not overlap.
template <class T>
void scatter_strided(const T* x, const Shape& shape, const Shape& strides, T* y);

}  // namespace weft::kernels
