// Cross-entropy of rows of logits, with its gradient.
#include <weft/core/kernels/cross_entropy.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {

template <class T>
void cross_entropy_rows(const T* logits, const int64_t* target, const T* weight, double smoothing,
                        T* loss, T* lse, int64_t rows, int64_t classes) {
  const T confidence = static_cast<T>(1 - smoothing);
  const T share = static_cast<T>(smoothing / static_cast<double>(classes));
  for (int64_t r = 0; r < rows; ++r, logits += classes) {
    const T w = weight ? weight[r] : T(1);
    if (w == T(0)) {
      loss[r] = 0;
      if (lse) lse[r] = 0;
      continue;
    }
    const T m = extreme_of<true>(logits, classes);
    T total = 0, sum = 0;
#pragma omp simd reduction(+ : total, sum)
    for (int64_t j = 0; j < classes; ++j) {
      total += exp_of(logits[j] - m);
      sum += logits[j] - m;
    }
    const T log_total = log_of(total);
    const T smooth = share * (sum - static_cast<T>(classes) * log_total);
    loss[r] = w * (confidence * (log_total - (logits[target[r]] - m)) - smooth);
    if (lse) lse[r] = m + log_total;
  }
}

template <class T>
void cross_entropy_grad_rows(const T* logits, const T* lse, const int64_t* target, const T* weight,
                             double smoothing, T scale, T* dlogits, int64_t rows, int64_t classes) {
  const T confidence = static_cast<T>(1 - smoothing);
  const T share = static_cast<T>(smoothing / static_cast<double>(classes));
  for (int64_t r = 0; r < rows; ++r, logits += classes, dlogits += classes) {
    const T w = weight ? scale * weight[r] : scale, z = lse[r];
    if (w == T(0)) {
      for (int64_t j = 0; j < classes; ++j) dlogits[j] = 0;
      continue;
    }
#pragma omp simd
    for (int64_t j = 0; j < classes; ++j) dlogits[j] = w * (exp_of(logits[j] - z) - share);
    dlogits[target[r]] -= w * confidence;
  }
}

#define WEFT_INSTANTIATE(T)                                                                      \
  template void cross_entropy_rows(const T*, const int64_t*, const T*, double, T*, T*, int64_t,  \
                                   int64_t);                                                     \
  template void cross_entropy_grad_rows(const T*, const T*, const int64_t*, const T*, double, T, \
                                        T*, int64_t, int64_t);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)

}  // namespace weft::kernels::WEFT_ISA
