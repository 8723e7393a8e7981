// Softmax of rows: a pass for the maximum, one for exp and its sum, one to scale.
#include <weft/core/kernels/math.h>
#include <weft/core/kernels/softmax.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// y_i = exp(x_i - m) for i < n, less than a vector; the same with zeros behind.
template <class T>
WEFT_INLINE typename Lanes<T>::type exp_of_rest(const T* x, T m, T* y, int64_t n) {
  alignas(kVectorBytes) T e[Lanes<T>::count];
#pragma omp simd
  for (int64_t j = 0; j < Lanes<T>::count; ++j) e[j] = j < n ? exp_of(x[j] - m) : T(0);
#pragma omp simd
  for (int64_t j = 0; j < Lanes<T>::count; ++j)
    if (j < n) y[j] = e[j];
  return load(e);
}

}  // namespace

template <class T>
void softmax_rows(const T* x, T* y, int64_t rows, int64_t n) {
  constexpr int64_t kCount = Lanes<T>::count;
  if (n == 0) return;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const T m = extreme_of<true>(x, n);
    typename Lanes<T>::type totals{};
    int64_t whole = 0;
    for (; whole + kCount <= n; whole += kCount) {
#pragma omp simd
      for (int64_t i = whole; i < whole + kCount; ++i) y[i] = exp_of(x[i] - m);
      totals += load(y + whole);
    }
    if (whole < n) totals += exp_of_rest(x + whole, m, y + whole, n - whole);
    const T inverse = T(1) / sum_of_lanes<T>(totals);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] *= inverse;
  }
}

template <class T>
void softmax_grad_rows(const T* y, const T* dy, T* dx, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, y += n, dy += n, dx += n) {
    T dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < n; ++i) dot += y[i] * dy[i];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) dx[i] = y[i] * (dy[i] - dot);
  }
}

template <class T>
void log_softmax_rows(const T* x, T* y, int64_t rows, int64_t n) {
  if (n == 0) return;
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const T m = extreme_of<true>(x, n);
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; ++i) total += exp_of(x[i] - m);
    const T log_total = log_of(total);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] - m - log_total;
  }
}

template <class T>
void log_softmax_grad_rows(const T* y, const T* dy, T* dx, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, y += n, dy += n, dx += n) {
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; ++i) total += dy[i];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) dx[i] = dy[i] - exp_of(y[i]) * total;
  }
}

WEFT_INSTANTIATE(softmax_rows, float, double)
WEFT_INSTANTIATE(softmax_grad_rows, float, double)
WEFT_INSTANTIATE(log_softmax_rows, float, double)
WEFT_INSTANTIATE(log_softmax_grad_rows, float, double)

}  // namespace weft::kernels::WEFT_ISA
