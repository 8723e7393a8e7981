// One-pass parameter updates. PyTorch computes the scalars in double and the arithmetic in the
// parameter's type; so does this.
#include <weft/core/kernels/math.h>
#include <weft/core/kernels/optimizer.h>

namespace weft::kernels::WEFT_ISA {

template <class T>
void sgd_update(const SgdStep& step, T* p, const T* g, T* momentum, int64_t n) {
  const T lr = static_cast<T>(step.lr), mu = static_cast<T>(step.momentum);
  const T take = step.first ? T(1) : static_cast<T>(1 - step.dampening);
  const T keep = step.first ? T(0) : mu;
  const T decay = static_cast<T>(step.weight_decay);
  const T sign = static_cast<T>(step.maximize ? -step.grad_scale : step.grad_scale);
  if (step.momentum == 0) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) p[i] -= lr * (g[i] * sign + decay * p[i]);
    return;
  }
  const T ahead = step.nesterov ? T(1) : T(0), along = step.nesterov ? mu : T(1);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const T d = g[i] * sign + decay * p[i];
    momentum[i] = (keep == T(0) ? T(0) : keep * momentum[i]) + take * d;
    p[i] -= lr * (ahead * d + along * momentum[i]);
  }
}

template <class T>
void adam_update(const AdamStep& step, T* p, const T* g, T* m, T* v, T* max_v, int64_t n) {
  const double t = static_cast<double>(step.step);
  const double correction1 = 1 - ::pow(step.beta1, t), correction2 = 1 - ::pow(step.beta2, t);
  const T keep1 = static_cast<T>(step.beta1), take1 = static_cast<T>(1 - step.beta1);
  const T keep2 = static_cast<T>(step.beta2), take2 = static_cast<T>(1 - step.beta2);
  const T eps = static_cast<T>(step.eps);
  const T rate = static_cast<T>(step.lr / correction1), root = static_cast<T>(::sqrt(correction2));
  const T shrink = static_cast<T>(step.decoupled ? 1 - step.lr * step.weight_decay : 1.0);
  const T decay = static_cast<T>(step.decoupled ? 0.0 : step.weight_decay);
  const T sign = static_cast<T>(step.maximize ? -step.grad_scale : step.grad_scale);
  auto run = [=](auto second) WEFT_INLINE_LAMBDA {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      const T d = g[i] * sign + decay * p[i];
      m[i] = m[i] * keep1 + take1 * d;  // m + take1 (d - m) would lose a d that is far below m
      v[i] = v[i] * keep2 + take2 * d * d;
      p[i] = p[i] * shrink - rate * (m[i] / (sqrt_of(second(i)) / root + eps));
    }
  };
  if (!max_v) return run([v](int64_t i) { return v[i]; });
  run([v, max_v](int64_t i) { return max_v[i] = v[i] > max_v[i] ? v[i] : max_v[i]; });
}

template <class T>
double sum_squares_block(const T* x, int64_t n) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t i = 0; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return total;
}

WEFT_INSTANTIATE(sgd_update, float, double)
WEFT_INSTANTIATE(adam_update, float, double)
WEFT_INSTANTIATE(sum_squares_block, float, double)

}  // namespace weft::kernels::WEFT_ISA
