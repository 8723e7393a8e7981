// Reduction loops over one line or one band of columns.
#include <weft/core/kernels/math.h>
#include <weft/core/kernels/reduce_cells.h>

namespace weft::kernels::WEFT_ISA {

namespace {

/// What partial sums are added in, so that a float sum's error does not grow with n.
template <class T>
struct Wide {
  using type = double;
};
template <>
struct Wide<int64_t> {
  using type = int64_t;
};

template <class T>
WEFT_INLINE T sum_block(const T* x, int64_t n) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += x[i];
  return total;
}

}  // namespace

template <class T>
T sum_line(const T* x, int64_t n) {
  constexpr int64_t kBlock = 256;
  typename Wide<T>::type total = 0;
  int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) total += sum_block(x + i, kBlock);
  return static_cast<T>(total + sum_block(x + i, n - i));
}

template <class T>
void sum_columns(const T* x, T* y, int64_t n, int64_t width, int64_t stride) {
  constexpr int64_t kRows = 64;
  typename Wide<T>::type total[kBand] = {};
  for (int64_t first = 0; first < n; first += kRows) {
    const int64_t end = first + kRows < n ? first + kRows : n;
    T part[kBand] = {};
    for (int64_t j = first; j < end; ++j) {
      const T* row = x + j * stride;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) part[i] += row[i];
    }
    for (int64_t i = 0; i < width; ++i) total[i] += part[i];
  }
  for (int64_t i = 0; i < width; ++i) y[i] = static_cast<T>(total[i]);
}

namespace {

template <bool kLargest, class T>
WEFT_INLINE int64_t extreme_index(const T* x, int64_t n, int64_t stride) {
  constexpr int64_t kBlock = 256;
  int64_t at = 0;
  for (int64_t i = 0; i < n && x[at * stride] == x[at * stride]; ++i) {
    if (stride == 1 && i % kBlock == 0 && i + kBlock <= n) {  // skip blocks that hold no better one
      const T best = extreme_of<kLargest>(x + i, kBlock);
      int any_nan = 0;
#pragma omp simd reduction(| : any_nan)
      for (int64_t j = i; j < i + kBlock; ++j) any_nan |= x[j] != x[j];
      if (!any_nan && !(kLargest ? best > x[at] : best < x[at])) {
        i += kBlock - 1;
        continue;
      }
    }
    const T v = x[i * stride], best = x[at * stride];
    if (v != v || (kLargest ? v > best : v < best)) at = i;
  }
  return at;
}

}  // namespace

template <class T>
void extreme(bool largest, const T* x, int64_t n, int64_t stride, T* y, int64_t* index) {
  const int64_t at =
      largest ? extreme_index<true>(x, n, stride) : extreme_index<false>(x, n, stride);
  *y = x[at * stride];
  if (index) *index = at;
}

template <class T>
T logsumexp_line(const T* x, int64_t n, int64_t stride) {
  const T infinity = static_cast<T>(__builtin_inf());
  T m = -infinity, total = 0;
  for (int64_t j = 0; j < n; ++j) m = x[j * stride] > m ? x[j * stride] : m;
  if (m == infinity) return infinity;
  const T shift = m == -infinity ? T(0) : m;
  if (stride == 1) {
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < n; ++j) total += exp_of(x[j] - shift);
  } else {
    for (int64_t j = 0; j < n; ++j) total += exp_of(x[j * stride] - shift);
  }
  return log_of(total) + shift;
}

#define WEFT_INSTANTIATE(T)                                           \
  template T sum_line(const T*, int64_t);                             \
  template void sum_columns(const T*, T*, int64_t, int64_t, int64_t); \
  template void extreme(bool, const T*, int64_t, int64_t, T*, int64_t*);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)
WEFT_INSTANTIATE(int64_t)
template float logsumexp_line(const float*, int64_t, int64_t);
template double logsumexp_line(const double*, int64_t, int64_t);

}  // namespace weft::kernels::WEFT_ISA
