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

/// Numbers that are added in T before their sum goes to the wide type.
constexpr int64_t kBlock = 256;

template <class T>
inline constexpr bool kIsFloating = static_cast<T>(0.5) != T(0);

WEFT_INLINE bool finite(double x) { return abs_of(x) <= __DBL_MAX__; }

/// The sum over `count` of numbers whose sum in between is too large, or not finite at all.
template <class T>
double sum_of_large(const T* x, int64_t n, int64_t stride, int64_t count) {
  constexpr double kUnit = 0x1p64;
  double total = 0;
  for (int64_t j = 0; j < n; ++j) total += static_cast<double>(x[j * stride]) / kUnit;
  return total / static_cast<double>(count) * kUnit;
}

}  // namespace

template <class T>
T sum_line(const T* x, int64_t n, int64_t count) {
  using Sum = typename Wide<T>::type;
  Sum total = 0;
  int64_t i = 0;
  for (; i + kBlock <= n; i += kBlock) total += sum_block(x + i, kBlock);
  total += sum_block(x + i, n - i);
  if constexpr (kIsFloating<T>) {
    if (!finite(total)) return static_cast<T>(sum_of_large(x, n, 1, count));
  }
  return static_cast<T>(count == 1 ? total : total / static_cast<Sum>(count));
}

template <class T>
void sum_columns(const T* x, T* y, int64_t n, int64_t width, int64_t stride, int64_t count) {
  constexpr int64_t kRows = 64;
  using Sum = typename Wide<T>::type;
  Sum total[kBand] = {};
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
  if (count != 1)
    for (int64_t i = 0; i < width; ++i) total[i] /= static_cast<Sum>(count);
  if constexpr (kIsFloating<T>) {
    int large = 0;
#pragma omp simd reduction(| : large)
    for (int64_t i = 0; i < width; ++i) large |= !finite(total[i]);
    for (int64_t i = 0; large && i < width; ++i)
      if (!finite(total[i])) total[i] = sum_of_large(x + i, n, stride, count);
  }
  for (int64_t i = 0; i < width; ++i) y[i] = static_cast<T>(total[i]);
}

namespace {

/// Sum of f(i) for i < n, in double.
template <class F>
WEFT_INLINE double sum_of(int64_t n, F f) {
  double total = 0;
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t end = first + kBlock < n ? first + kBlock : n;
    double part = 0;
#pragma omp simd reduction(+ : part)
    for (int64_t i = first; i < end; ++i) part += f(i);
    total += part;
  }
  return total;
}

/// Whether a mean in double may be off by what a T can tell.
template <class T>
inline constexpr bool kMeanNeedsCorrection = sizeof(T) == sizeof(double);

}  // namespace

template <class T>
T var_line(const T* x, int64_t n, double divisor) {
  const auto count = static_cast<double>(n);
  double mean = sum_of(n, [=](int64_t i) { return static_cast<double>(x[i]); }) / count, rest = 0;
  if (!finite(mean)) mean = sum_of_large(x, n, 1, n);
  if (kMeanNeedsCorrection<T>)
    rest = sum_of(n, [=](int64_t i) { return static_cast<double>(x[i]) - mean; }) / count;
  return static_cast<T>(sum_of(n,
                               [=](int64_t i) {
                                 const double d = static_cast<double>(x[i]) - mean - rest;
                                 return d * d;
                               }) /
                        divisor);
}

namespace {

/// total[i] = sum_j f(x[j stride + i], i)
template <class T, class F>
WEFT_INLINE void sum_of_columns(const T* x, int64_t n, int64_t width, int64_t stride, double* total,
                                F f) {
  for (int64_t i = 0; i < width; ++i) total[i] = 0;
  for (int64_t j = 0; j < n; ++j, x += stride) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) total[i] += f(static_cast<double>(x[i]), i);
  }
}

}  // namespace

template <class T>
void var_columns(const T* x, T* y, int64_t n, int64_t width, int64_t stride, double divisor) {
  double mean[kBand], rest[kBand] = {}, squares[kBand];
  sum_of_columns(x, n, width, stride, mean, [](double v, int64_t) { return v; });
  for (int64_t i = 0; i < width; ++i) {
    mean[i] /= static_cast<double>(n);
    if (!finite(mean[i])) mean[i] = sum_of_large(x + i, n, stride, n);
  }
  if (kMeanNeedsCorrection<T>) {
    sum_of_columns(x, n, width, stride, rest, [&](double v, int64_t i) { return v - mean[i]; });
    for (int64_t i = 0; i < width; ++i) rest[i] /= static_cast<double>(n);
  }
  sum_of_columns(x, n, width, stride, squares, [&](double v, int64_t i) {
    const double d = v - mean[i] - rest[i];
    return d * d;
  });
  for (int64_t i = 0; i < width; ++i) y[i] = static_cast<T>(squares[i] / divisor);
}

namespace {

template <class T>
WEFT_INLINE bool any_nan(const T* x, int64_t n) {
  int any = 0;
#pragma omp simd reduction(| : any)
  for (int64_t i = 0; i < n; ++i) any |= x[i] != x[i];
  return any != 0;
}

template <bool kLargest, class T>
WEFT_INLINE int64_t extreme_index(const T* x, int64_t n, int64_t stride) {
  int64_t at = 0;
  for (int64_t i = 0; i < n && x[at * stride] == x[at * stride]; ++i) {
    if (stride == 1 && i % kBlock == 0 && i + kBlock <= n) {  // skip blocks that hold no better one
      const T best = extreme_of<kLargest>(x + i, kBlock);
      if (!any_nan(x + i, kBlock) && !(kLargest ? best > x[at] : best < x[at])) {
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
  if (!index && stride == 1 && !any_nan(x, n)) {
    *y = largest ? extreme_of<true>(x, n) : extreme_of<false>(x, n);
    return;
  }
  const int64_t at =
      largest ? extreme_index<true>(x, n, stride) : extreme_index<false>(x, n, stride);
  *y = x[at * stride];
  if (index) *index = at;
}

template <class T>
void logsumexp_line(const T* x, int64_t n, int64_t stride, T* y, T* top, T* log_total) {
  const T infinity = static_cast<T>(__builtin_inf());
  T m = -infinity, total = 0;
  for (int64_t j = 0; j < n; ++j) m = x[j * stride] > m ? x[j * stride] : m;
  const T shift = m == -infinity ? T(0) : m;
  *top = shift;
  *log_total = 0;
  *y = m;
  if (m == infinity) {
    for (int64_t j = 0; j < n; ++j)
      if (x[j * stride] != x[j * stride]) *y = x[j * stride];
    return;
  }
  if (stride == 1) {
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < n; ++j) total += exp_of(x[j] - shift);
  } else {
    for (int64_t j = 0; j < n; ++j) total += exp_of(x[j * stride] - shift);
  }
  const T log_of_sum = log_of(total);
  *y = log_of_sum + shift;
  if (m != -infinity) *log_total = log_of_sum;
}

WEFT_INSTANTIATE(sum_line, float, double, int64_t)
WEFT_INSTANTIATE(sum_columns, float, double, int64_t)
WEFT_INSTANTIATE(var_line, float, double)
WEFT_INSTANTIATE(var_columns, float, double)
WEFT_INSTANTIATE(extreme, float, double, int64_t)
WEFT_INSTANTIATE(logsumexp_line, float, double)

}  // namespace weft::kernels::WEFT_ISA
