// Reductions of a contiguous [outer, n, inner] over n, to [outer, inner]. They thread inside, on a
// grid that depends on the shape alone.
#pragma once

#include <cstdint>
#include <span>

namespace weft::kernels {

/// y[o, i] = sum_j x[o, j, i]; n may be 0. T: float, double or int64_t. A float sum of a million
/// terms is right to about 1e-6 of the sum of magnitudes.
template <class T>
void sum(const T* x, T* y, int64_t outer, int64_t n, int64_t inner);

/// The sum over n, which overflows only where the result does; NaN if n is 0. T: float or double.
template <class T>
void mean(const T* x, T* y, int64_t outer, int64_t n, int64_t inner);

/// y = sum_j (x[o, j, i] - mean)^2 / divisor, around a mean that is right beyond T: exactly 0 for
/// equal numbers. T: float or double.
template <class T>
void var(const T* x, T* y, int64_t outer, int64_t n, int64_t inner, double divisor);

/// y = max_j x[o, j, i] and the first j that attains it (index may be null). A NaN wins, as in
/// PyTorch. n must be at least 1. T: float, double or int64_t.
template <class T>
void max(const T* x, T* y, int64_t* index, int64_t outer, int64_t n, int64_t inner);

/// The largest of x, at least one number; a NaN wins.
template <class T>
T largest(std::span<const T> x) {
  T y;
  max<T>(x.data(), &y, nullptr, 1, static_cast<int64_t>(x.size()), 1);
  return y;
}

/// As max, for the least.
template <class T>
void min(const T* x, T* y, int64_t* index, int64_t outer, int64_t n, int64_t inner);

/// y = log sum_j exp x[o, j, i], without overflow; -inf when all terms are. T: float or double. Its
/// parts, of which y may be a rounded sum, give the slopes exp(x - top - log_total): the largest
/// term (0 if that is -inf) and log sum_j exp(x - top) (0 if the largest is infinite).
template <class T>
void logsumexp(const T* x, T* y, T* top, T* log_total, int64_t outer, int64_t n, int64_t inner);

}  // namespace weft::kernels
