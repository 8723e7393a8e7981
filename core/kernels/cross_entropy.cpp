// Cross-entropy of rows of logits, with its gradient.
#include <weft/core/kernels/cross_entropy.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// sum_j w_j (m - z_j)
template <class T>
WEFT_INLINE T weighted_drop(const T* z, T m, const T* weight, int64_t classes) {
  T total = 0;
  if (weight) {
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < classes; ++j) total += weight[j] * (m - z[j]);
  } else {
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < classes; ++j) total += m - z[j];
  }
  return total;
}

template <class T>
WEFT_INLINE T sum_of(const T* weight, int64_t classes) {
  if (!weight) return static_cast<T>(classes);
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < classes; ++j) total += weight[j];
  return total;
}

}  // namespace

template <class T>
void cross_entropy_rows(const T* logits, const int64_t* target, const T* weight, double smoothing,
                        T* loss, T* top, T* total, int64_t rows, int64_t classes) {
  const T confidence = static_cast<T>(1 - smoothing);
  const T share = static_cast<T>(smoothing / static_cast<double>(classes));
  const T all = share > T(0) ? sum_of(weight, classes) : T(0);
  for (int64_t r = 0; r < rows; ++r, logits += classes) {
    const int64_t t = target[r];
    loss[r] = 0;
    if (top) top[r] = total[r] = 0;
    if (t < 0) continue;
    const T m = extreme_of<true>(logits, classes);
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < classes; ++j) sum += exp_of(logits[j] - m);
    if (top) top[r] = m, total[r] = sum;
    const T log_total = log_of(sum);
    loss[r] = confidence * (weight ? weight[t] : T(1)) * (log_total + (m - logits[t]));
    if (share > T(0))  // 0 times an infinite logit would be NaN
      loss[r] += share * (all * log_total + weighted_drop(logits, m, weight, classes));
  }
}

template <class T>
void cross_entropy_grad_rows(const T* logits, const T* top, const T* total, const int64_t* target,
                             const T* weight, double smoothing, const T* dloss, T* dlogits,
                             int64_t rows, int64_t classes) {
  const T confidence = static_cast<T>(1 - smoothing);
  const T share = static_cast<T>(smoothing / static_cast<double>(classes));
  const T all = share > T(0) ? sum_of(weight, classes) : T(0);
  for (int64_t r = 0; r < rows; ++r, logits += classes, dlogits += classes) {
    const int64_t t = target[r];
    if (t < 0) {
      for (int64_t j = 0; j < classes; ++j) dlogits[j] = 0;
      continue;
    }
    const T on_target = dloss[r] * confidence * (weight ? weight[t] : T(1)), m = top[r];
    const T smooth = dloss[r] * share, mass = (on_target + smooth * all) / total[r];
    if (weight && share > T(0)) {
#pragma omp simd
      for (int64_t j = 0; j < classes; ++j)
        dlogits[j] = mass * exp_of(logits[j] - m) - smooth * weight[j];
    } else {
#pragma omp simd
      for (int64_t j = 0; j < classes; ++j) dlogits[j] = mass * exp_of(logits[j] - m) - smooth;
    }
    dlogits[t] -= on_target;
  }
}

template <class T>
void cross_entropy_replace_rows(T* logits, const int64_t* target, const T* weight, double smoothing,
                                T dloss, T* loss, int64_t rows, int64_t classes) {
  const T confidence = static_cast<T>(1 - smoothing);
  const T share = static_cast<T>(smoothing / static_cast<double>(classes));
  const T all = share > T(0) ? sum_of(weight, classes) : T(0);
  for (int64_t r = 0; r < rows; ++r, logits += classes) {
    const int64_t t = target[r];
    loss[r] = 0;
    if (t < 0) {
      for (int64_t j = 0; j < classes; ++j) logits[j] = 0;
      continue;
    }
    const T m = extreme_of<true>(logits, classes), drop = m - logits[t];
    const T smooth_drop = share > T(0) ? weighted_drop(logits, m, weight, classes) : T(0);
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < classes; ++j) {
      logits[j] = exp_of(logits[j] - m);
      total += logits[j];
    }
    const T log_total = log_of(total), w = confidence * (weight ? weight[t] : T(1));
    loss[r] = w * (log_total + drop) + share * (all * log_total + smooth_drop);
    const T on_target = dloss * w, smooth = dloss * share;
    const T mass = (on_target + smooth * all) / total;
    if (weight && share > T(0)) {
#pragma omp simd
      for (int64_t j = 0; j < classes; ++j) logits[j] = mass * logits[j] - smooth * weight[j];
    } else {
#pragma omp simd
      for (int64_t j = 0; j < classes; ++j) logits[j] = mass * logits[j] - smooth;
    }
    logits[t] -= on_target;
  }
}

// With c the difference of the log totals, u_j = (a_j - max a) - (b_j - max b) and
// log p_j - log q_j = u_j - c,
//   KL(p || q) = E_p u - c,  KL(q || p) = c - E_q u,  and of both together
//   da_j = p_j (u_j - E_p u) + p_j - q_j,  db_j = q_j (E_q u - u_j) + q_j - p_j:
// c, the small difference of large numbers, is gone. A logit of minus infinity in both passes rules
// its class out: u is 0 there, not NaN.
template <class T>
void r_drop_replace_rows(T* a, T* b, const int64_t* target, double smoothing, double agreement,
                         T dloss, T* loss, int64_t rows, int64_t classes) {
  const T confidence = static_cast<T>(1 - smoothing), n = static_cast<T>(classes);
  const T share = static_cast<T>(smoothing / static_cast<double>(classes));
  const T on_target = dloss * confidence / 2, smooth = dloss * share / 2;
  const T mass = on_target + smooth * n, pull = dloss * static_cast<T>(agreement);
  for (int64_t r = 0; r < rows; ++r, a += classes, b += classes) {
    const T top_a = extreme_of<true>(a, classes), top_b = extreme_of<true>(b, classes);
    T total_a = 0, total_b = 0, mean_a = 0, mean_b = 0;
#pragma omp simd reduction(+ : total_a, total_b, mean_a, mean_b)
    for (int64_t j = 0; j < classes; ++j) {
      const T x = a[j] - top_a, y = b[j] - top_b, ex = exp_of(x), ey = exp_of(y);
      const T u = x == y ? T(0) : x - y;
      total_a += ex, total_b += ey;
      mean_a += ex * u, mean_b += ey * u;
    }
    mean_a /= total_a, mean_b /= total_b;
    const int64_t t = target[r];
    const T log_a = log_of(total_a), log_b = log_of(total_b);
    T drop_a = confidence * (log_a + (top_a - a[t])),
      drop_b = confidence * (log_b + (top_b - b[t]));
    if (share > T(0)) {
      drop_a += share * (n * log_a + weighted_drop<T>(a, top_a, nullptr, classes));
      drop_b += share * (n * log_b + weighted_drop<T>(b, top_b, nullptr, classes));
    }
    loss[r] = (drop_a + drop_b) / 2 + static_cast<T>(agreement) * (mean_a - mean_b);
    const T per_a = 1 / total_a, per_b = 1 / total_b;
#pragma omp simd
    for (int64_t j = 0; j < classes; ++j) {
      const T x = a[j] - top_a, y = b[j] - top_b, u = x == y ? T(0) : x - y;
      const T p = exp_of(x) * per_a, q = exp_of(y) * per_b;
      a[j] = mass * p - smooth + pull * (p * (u - mean_a) + (p - q));
      b[j] = mass * q - smooth + pull * (q * (mean_b - u) + (q - p));
    }
    a[t] -= on_target, b[t] -= on_target;
  }
}

WEFT_INSTANTIATE(cross_entropy_rows, float, double)
WEFT_INSTANTIATE(cross_entropy_grad_rows, float, double)
WEFT_INSTANTIATE(cross_entropy_replace_rows, float, double)
WEFT_INSTANTIATE(r_drop_replace_rows, float, double)

}  // namespace weft::kernels::WEFT_ISA
