// Layer normalization of rows, forward and backward.
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {

template <class T>
void layer_norm_rows(const T* x, const T* gamma, const T* beta, double eps, T* y, T* mean, T* rstd,
                     int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    T total = 0, squares = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < n; ++i) total += x[i];
    const T m = total / static_cast<T>(n);
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; ++i) squares += (x[i] - m) * (x[i] - m);
    const T s = T(1) / sqrt_of(squares / static_cast<T>(n) + static_cast<T>(eps));
    mean[r] = m;
    rstd[r] = s;
    if (gamma && beta) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - m) * s * gamma[i] + beta[i];
    } else {
      for (int64_t i = 0; i < n; ++i)
        y[i] = (x[i] - m) * s * (gamma ? gamma[i] : T(1)) + (beta ? beta[i] : T(0));
    }
  }
}

template <class T>
void layer_norm_grad_rows(const T* x, const T* gamma, const T* mean, const T* rstd, const T* dy,
                          T* dx, int64_t rows, int64_t n) {
  auto run = [=](auto scaled) WEFT_INLINE_LAMBDA {
    for (int64_t r = 0; r < rows; ++r) {
      const T *xr = x + r * n, *dyr = dy + r * n;
      T* dxr = dx + r * n;
      const T m = mean[r], s = rstd[r];
      T sum_g = 0, sum_gh = 0;
#pragma omp simd reduction(+ : sum_g, sum_gh)
      for (int64_t i = 0; i < n; ++i) {
        const T g = scaled(dyr[i], i);
        sum_g += g;
        sum_gh += g * ((xr[i] - m) * s);
      }
      const T avg_g = sum_g / static_cast<T>(n), avg_gh = sum_gh / static_cast<T>(n);
#pragma omp simd
      for (int64_t i = 0; i < n; ++i)
        dxr[i] = s * (scaled(dyr[i], i) - avg_g - (xr[i] - m) * s * avg_gh);
    }
  };
  if (gamma)
    run([gamma](T g, int64_t i) { return g * gamma[i]; });
  else
    run([](T g, int64_t) { return g; });
}

template <class T>
void layer_norm_grad_affine_rows(const T* x, const T* mean, const T* rstd, const T* dy, T* dgamma,
                                 T* dbeta, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, x += n, dy += n) {
    const T m = mean[r], s = rstd[r];
    if (dgamma) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) dgamma[i] += dy[i] * ((x[i] - m) * s);
    }
    if (dbeta) {
#pragma omp simd
      for (int64_t i = 0; i < n; ++i) dbeta[i] += dy[i];
    }
  }
}

#define WEFT_INSTANTIATE(T)                                                                 \
  template void layer_norm_rows(const T*, const T*, const T*, double, T*, T*, T*, int64_t,  \
                                int64_t);                                                   \
  template void layer_norm_grad_rows(const T*, const T*, const T*, const T*, const T*, T*,  \
                                     int64_t, int64_t);                                     \
  template void layer_norm_grad_affine_rows(const T*, const T*, const T*, const T*, T*, T*, \
                                            int64_t, int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)

}  // namespace weft::kernels::WEFT_ISA
