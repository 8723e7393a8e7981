// Layer normalization of rows, forward and backward.
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// Variances within [kLeast, kMost] leave room for their sums; the units bring others there.
template <class T>
struct Range;
template <>
struct Range<float> {
  static constexpr float kLeast = 0x1p-100f, kMost = 0x1p100f, kUp = 0x1p100f, kDown = 0x1p-100f;
  static constexpr float kTiny = 0x1p-126f, kEpsilon = 0x1p-23f;
};
template <>
struct Range<double> {
  static constexpr double kLeast = 0x1p-900, kMost = 0x1p900, kUp = 0x1p700, kDown = 0x1p-700;
  static constexpr double kTiny = 0x1p-1022, kEpsilon = 0x1p-52;
};

/// f(read), where read(x) is x times the unit: nothing to do in all but few rows.
template <class T, class F>
WEFT_INLINE void in_units(T unit, F f) {
  if (unit == T(1))
    f([](auto v) { return v; });
  else
    f([unit](auto v) { return v * unit; });
}

/// Sums of the deviations from `mean`, and of their squares.
template <class T>
struct Deviations {
  T sum = 0, squares = 0;
};

template <class T, class Read>
WEFT_INLINE Deviations<T> deviations_of(const T* x, int64_t n, T mean, Read read) {
  typename Lanes<T>::type sums{}, squares{};
  int64_t i = 0;
  for (; i + Lanes<T>::count <= n; i += Lanes<T>::count) {
    const auto d = read(load(x + i)) - mean;
    sums += d;
    squares += d * d;
  }
  Deviations<T> total{sum_of_lanes<T>(sums), sum_of_lanes<T>(squares)};
  for (; i < n; ++i) {
    const T d = read(x[i]) - mean;
    total.sum += d;
    total.squares += d * d;
  }
  return total;
}

template <class T, class Read>
WEFT_INLINE T sum_of(const T* x, int64_t n, Read read) {
  typename Lanes<T>::type sums{};
  int64_t i = 0;
  for (; i + Lanes<T>::count <= n; i += Lanes<T>::count) sums += read(load(x + i));
  T total = sum_of_lanes<T>(sums);
  for (; i < n; ++i) total += read(x[i]);
  return total;
}

/// The mean is mean + rest: the latter is what rounding took from the former.
template <class T>
struct Center {
  T mean, rest, variance;
};

/// Deviations from a rounded mean tell by how much it is off; where that is most of what they show,
/// as in a row of equal numbers, they are taken again from a better one.
template <class T, class Read>
WEFT_INLINE Center<T> center_of(const T* x, int64_t n, Read read) {
  const T share = T(1) / static_cast<T>(n);
  T mean = sum_of(x, n, read) * share;
  Deviations<T> d = deviations_of(x, n, mean, read);
  T rest = d.sum * share;
  if (T(4) * rest * rest > d.squares * share) {
    mean += rest;
    d = deviations_of(x, n, mean, read);
    rest = d.sum * share;
  }
  const T variance = d.squares * share - rest * rest;
  return {mean, rest, variance < T(0) ? T(0) : variance};
}

template <class T>
WEFT_INLINE RowMoments<T> moments_from(const Center<T>& c, T unit, T eps) {
  const T rstd = T(1) / sqrt_of(c.variance + eps), shift = -c.rest * rstd;
  // Less than h, which is about 1, can tell is left out: most rows then round but once.
  return {unit, c.mean, rstd, abs_of(shift) <= Range<T>::kEpsilon ? T(0) : shift};
}

/// The moments of a row whose variance with eps is too large or too small for sums of squares.
template <class T>
RowMoments<T> moments_of_far(const T* x, int64_t n, double eps, bool small) {
  const T unit = small ? Range<T>::kUp : Range<T>::kDown;
  const T least = eps > 0 ? Range<T>::kTiny : T(0);  // equal numbers stay equal
  const T e = static_cast<T>(eps * static_cast<double>(unit) * static_cast<double>(unit));
  const auto read = [unit](auto v) { return v * unit; };
  return moments_from(center_of(x, n, read), unit, e < least ? least : e);
}

template <class T>
WEFT_INLINE RowMoments<T> moments_of(const T* x, int64_t n, double eps) {
  const Center<T> c = center_of(x, n, [](auto v) { return v; });
  const T e = static_cast<T>(eps), v = c.variance + e;
  if (!(v <= Range<T>::kMost && v >= Range<T>::kLeast))
    return moments_of_far(x, n, eps, v < Range<T>::kLeast);
  return moments_from(c, T(1), e);
}

/// h of layer_norm.h for an element in the row's unit.
template <class T>
WEFT_INLINE T normal(T x, const RowMoments<T>& m) {
  return (x - m.mean) * m.rstd + m.shift;
}

template <class T, class Read>
WEFT_INLINE void normalize(const T* x, const T* gamma, const T* beta, const RowMoments<T>& m, T* y,
                           int64_t n, Read read) {
  if (gamma && beta) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = normal(read(x[i]), m) * gamma[i] + beta[i];
  } else {
    for (int64_t i = 0; i < n; ++i)
      y[i] = normal(read(x[i]), m) * (gamma ? gamma[i] : T(1)) + (beta ? beta[i] : T(0));
  }
}

template <class T, class Read, class Scaled>
WEFT_INLINE void grad_of_row(const T* x, const RowMoments<T>& m, const T* dy, T* dx, int64_t n,
                             Read read, Scaled scaled) {
  if (n == 1) {  // its own mean; a fused product less itself would leave its rounding
    dx[0] = T(0);
    return;
  }
  T sum_g = 0, sum_gh = 0;
#pragma omp simd reduction(+ : sum_g, sum_gh)
  for (int64_t i = 0; i < n; ++i) {
    const T g = scaled(dy[i], i);
    sum_g += g;
    sum_gh += g * normal(read(x[i]), m);
  }
  const T avg_g = sum_g / static_cast<T>(n), avg_gh = sum_gh / static_cast<T>(n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    dx[i] = read(m.rstd * (scaled(dy[i], i) - avg_g - normal(read(x[i]), m) * avg_gh));
}

}  // namespace

template <class T>
void layer_norm_rows(const T* x, const T* gamma, const T* beta, double eps, T* y,
                     RowMoments<T>* moments, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const RowMoments<T> m = moments[r] = moments_of(x, n, eps);
    in_units(m.unit,
             [=](auto read) WEFT_INLINE_LAMBDA { normalize(x, gamma, beta, m, y, n, read); });
  }
}

template <class T>
void layer_norm_grad_rows(const T* x, const T* gamma, const RowMoments<T>* moments, const T* dy,
                          T* dx, int64_t rows, int64_t n) {
  auto run = [=](auto scaled) WEFT_INLINE_LAMBDA {
    for (int64_t r = 0; r < rows; ++r) {
      const RowMoments<T> m = moments[r];
      in_units(m.unit, [=](auto read) WEFT_INLINE_LAMBDA {
        grad_of_row(x + r * n, m, dy + r * n, dx + r * n, n, read, scaled);
      });
    }
  };
  if (gamma)
    run([gamma](T g, int64_t i) { return g * gamma[i]; });
  else
    run([](T g, int64_t) { return g; });
}

template <class T>
void layer_norm_grad_affine_rows(const T* x, const RowMoments<T>* moments, const T* dy, T* dgamma,
                                 T* dbeta, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, dy += n) {
    const RowMoments<T> m = moments[r];
    if (dgamma)
      in_units(m.unit, [=](auto read) WEFT_INLINE_LAMBDA {
#pragma omp simd
        for (int64_t i = 0; i < n; ++i) dgamma[i] += dy[i] * normal(read(x[i]), m);
      });
    if (dbeta) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) dbeta[i] += dy[i];
    }
  }
}

WEFT_INSTANTIATE(layer_norm_rows, float, double)
WEFT_INSTANTIATE(layer_norm_grad_rows, float, double)
WEFT_INSTANTIATE(layer_norm_grad_affine_rows, float, double)

}  // namespace weft::kernels::WEFT_ISA
