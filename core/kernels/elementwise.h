// Elementwise arithmetic over raw memory; y is contiguous, inputs step by a stride (0 repeats one
// element). T is float or double, where nothing else is said. Each call runs on one thread;
// callers cut long ranges with parallel_for.
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

enum class Unary {
  abs,
  sign,
  sqrt,
  rsqrt,
  exp,
  log,
  tanh,
  sigmoid,
  relu,
  gelu,
  gelu_tanh,
  silu,
  softplus
};
enum class Binary { add, sub, mul, div, maximum, minimum, pow };
enum class Compare { eq, ne, lt, le, gt, ge };

/// y[i] = op(x[i sx]). gelu is x Phi(x) with erf, gelu_tanh its tanh form, softplus
/// log(1 + e^x).
WEFT_KERNEL(void, unary, Unary op, const T* x, int64_t sx, T* y, int64_t n)

/// dx[i] = dy[i] op'(x[i]), from x or y = op(x) as suits the op: tanh, sigmoid, relu, gelu,
/// gelu_tanh, silu or softplus; all contiguous; dx may be dy. relu reads y only, the others x only.
WEFT_KERNEL(void, unary_grad, Unary op, const T* x, const T* y, const T* dy, T* dx, int64_t n)

/// y[i] = a[i sa] op b[i sb]. maximum and minimum return NaN if either is. T also int64_t,
/// whose division truncates; dividing by 0 gives 0.
WEFT_KERNEL(void, binary, Binary op, const T* a, int64_t sa, const T* b, int64_t sb, T* y,
            int64_t n)

/// y[i] = u[i su] v[i sv] / (p[i sp] q[i sq]), rounded as if no product on the way left T's range.
WEFT_KERNEL(void, ratio, const T* u, int64_t su, const T* v, int64_t sv, const T* p, int64_t sp,
            const T* q, int64_t sq, T* y, int64_t n)

/// y[i] = g[i sg] b[i sb] a[i sa]^(b[i sb] - 1), as if no factor left T's range; 0 where g or b
/// is 0.
WEFT_KERNEL(void, pow_slope, const T* g, int64_t sg, const T* a, int64_t sa, const T* b, int64_t sb,
            T* y, int64_t n)

/// y[i] = a[i sa] op b[i sb]. T also int64_t.
WEFT_KERNEL(void, compare, Compare op, const T* a, int64_t sa, const T* b, int64_t sb, bool* y,
            int64_t n)

/// y[i] = c[i sc] ? a[i sa] : b[i sb]. T also int64_t or bool.
WEFT_KERNEL(void, where, const bool* c, int64_t sc, const T* a, int64_t sa, const T* b, int64_t sb,
            T* y, int64_t n)

/// y[i] += x[i]
WEFT_KERNEL(void, add_inplace, T* y, const T* x, int64_t n)

/// y[i] = alpha x[i]
WEFT_KERNEL(void, scale, T alpha, const T* x, T* y, int64_t n)

/// Whether no x[i sx] is NaN or infinite.
WEFT_KERNEL(bool, all_finite, const T* x, int64_t sx, int64_t n)

}  // namespace weft::kernels
