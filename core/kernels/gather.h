// Moving rows and strided data. T is float, double, int64_t or bool.
#pragma once

#include <weft/core/shape.h>

#include <cstdint>

namespace weft::kernels {

/// y[i, :] = table[index[i], :], rows of n elements, contiguous. Indices must be valid.
template <class T>
void gather_rows(const T* table, const int64_t* index, T* y, int64_t count, int64_t n);

/// table[index[i], :] = x[i, :] (float, double), no index twice.
template <class T>
void scatter_rows(const T* x, const int64_t* index, T* table, int64_t count, int64_t n);

/// table[index[i], :] += x[i, :] in the order of i (float, double). Threads cut the columns.
template <class T>
void scatter_add_rows(const T* x, const int64_t* index, T* table, int64_t count, int64_t n);

/// y[o, j, i] = x[o, index[o, j, i], i] for x [outer, n, inner], index and y [outer, m, inner], all
/// contiguous. Indices must be valid.
template <class T>
void gather_along(const T* x, const int64_t* index, T* y, int64_t outer, int64_t n, int64_t m,
                  int64_t inner);

/// y[o, index[o, j, i], i] += x[o, j, i] in the order of j, for y [outer, n, inner] (float,
/// double).
template <class T>
void scatter_add_along(const T* x, const int64_t* index, T* y, int64_t outer, int64_t n, int64_t m,
                       int64_t inner);

/// y (contiguous, of this shape) = x with these strides in elements, 0 and negative included.
template <class T>
void copy_strided(const T* x, const Shape& shape, const Shape& strides, T* y);

/// The other way: y with these strides = x (contiguous). Elements of y must not overlap.
template <class T>
void scatter_strided(const T* x, const Shape& shape, const Shape& strides, T* y);

}  // namespace weft::kernels
