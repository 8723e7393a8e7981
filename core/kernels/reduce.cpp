// Reductions cut into cells of a fixed size, so that the order of additions never depends on
// threads.
#include <weft/core/kernels/reduce.h>
#include <weft/core/kernels/reduce_cells.h>
#include <weft/core/parallel.h>

#include <algorithm>

namespace weft::kernels {
namespace {

constexpr double kReduceCost = 0.25;  // nanoseconds for an element
constexpr int64_t kColumns = 16;      // of a unit: at least a cache line

/// The grain of lines of n elements.
Grain grain_of_lines(int64_t n) { return grain_of_cost(kReduceCost * static_cast<double>(n)); }

template <class T, class F>
void for_each_line(const T*, int64_t outer, int64_t n, int64_t inner, F line) {
  parallel_for(outer * inner, grain_of_lines(n), [=](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) line(r, (r / inner) * n * inner + r % inner);
  });
}

/// line(x, y) for each line of n numbers, or columns(x, y, width) for each band of columns.
template <class T, class Line, class Columns>
void for_each_band(const T* x, T* y, int64_t outer, int64_t n, int64_t inner, Line line,
                   Columns columns) {
  if (inner == 1) {
    parallel_for(outer, grain_of_lines(n), [=](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) line(x + o * n, y + o);
    });
    return;
  }
  // Threads share out units of columns; a band is what one of them takes at once.
  const int64_t units = (inner + kColumns - 1) / kColumns;
  parallel_for(outer * units, grain_of_lines(n * kColumns), [=](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end;) {
      const int64_t o = u / units, i = u % units * kColumns;
      const int64_t width = std::min({kBand, inner - i, (end - u) * kColumns});
      columns(x + o * n * inner + i, y + o * inner + i, width);
      u += (width + kColumns - 1) / kColumns;
    }
  });
}

template <class T>
void sum_over(const T* x, T* y, int64_t outer, int64_t n, int64_t inner, int64_t count) {
  for_each_band(
      x, y, outer, n, inner, [=](const T* from, T* to) { *to = sum_line<T>(from, n, count); },
      [=](const T* from, T* to, int64_t width) {
        sum_columns<T>(from, to, n, width, inner, count);
      });
}

}  // namespace

template <class T>
void sum(const T* x, T* y, int64_t outer, int64_t n, int64_t inner) {
  sum_over(x, y, outer, n, inner, 1);
}

template <class T>
void mean(const T* x, T* y, int64_t outer, int64_t n, int64_t inner) {
  sum_over(x, y, outer, n, inner, n);
}

template <class T>
void var(const T* x, T* y, int64_t outer, int64_t n, int64_t inner, double divisor) {
  for_each_band(
      x, y, outer, n, inner, [=](const T* from, T* to) { *to = var_line<T>(from, n, divisor); },
      [=](const T* from, T* to, int64_t width) {
        var_columns<T>(from, to, n, width, inner, divisor);
      });
}

template <class T>
void max(const T* x, T* y, int64_t* index, int64_t outer, int64_t n, int64_t inner) {
  for_each_line(x, outer, n, inner, [=](int64_t r, int64_t at) {
    extreme<T>(true, x + at, n, inner, y + r, index ? index + r : nullptr);
  });
}

template <class T>
void min(const T* x, T* y, int64_t* index, int64_t outer, int64_t n, int64_t inner) {
  for_each_line(x, outer, n, inner, [=](int64_t r, int64_t at) {
    extreme<T>(false, x + at, n, inner, y + r, index ? index + r : nullptr);
  });
}

template <class T>
void logsumexp(const T* x, T* y, T* top, T* log_total, int64_t outer, int64_t n, int64_t inner) {
  for_each_line(x, outer, n, inner, [=](int64_t r, int64_t at) {
    logsumexp_line<T>(x + at, n, inner, y + r, top + r, log_total + r);
  });
}

WEFT_INSTANTIATE(sum, float, double, int64_t)
WEFT_INSTANTIATE(mean, float, double)
WEFT_INSTANTIATE(var, float, double)
WEFT_INSTANTIATE(max, float, double, int64_t)
WEFT_INSTANTIATE(min, float, double, int64_t)
WEFT_INSTANTIATE(logsumexp, float, double)

}  // namespace weft::kernels
