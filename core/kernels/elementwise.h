// Elementwise arithmetic over raw memory; y is contiguous, inputs step by a stride (0 repeats one
// element). T is float or double, for binary, compare, where and fill also int64_t. Each call runs
// on one thread; callers cut long ranges with parallel_for.
#pragma once

#include <weft/core/cpu.h>

#include <cstdint>

namespace weft::kernels {

enum class Unary {
  neg,
  abs,
  sign,
  square,
  reciprocal,
  sqrt,
  rsqrt,
  exp,
  log,
  sin,
  cos,
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

WEFT_KERNELS(
    /// y[i] = op(x[i sx]). gelu is x Phi(x) with erf, gelu_tanh its tanh form, softplus log(1 +
    /// e^x). int64_t: neg, abs, sign, square and relu only.
    template <class T> void unary(Unary op, const T* x, int64_t sx, T* y, int64_t n);

    /// dx[i] = dy[i] op'(x[i]), from x or y = op(x) as suits the op: tanh, sigmoid, relu, gelu,
    /// gelu_tanh, silu or softplus; all contiguous; dx may be dy. relu reads y only, the others x
    /// only.
    template <class T>
    void unary_grad(Unary op, const T* x, const T* y, const T* dy, T* dx, int64_t n);

    /// y[i] = a[i sa] op b[i sb]. maximum and minimum return NaN if either is. int64_t division
    /// truncates; dividing by 0 gives 0.
    template <class T>
    void binary(Binary op, const T* a, int64_t sa, const T* b, int64_t sb, T* y, int64_t n);

    /// y[i] = u[i su] v[i sv] / (p[i sp] q[i sq]), rounded as if no product on the way left T's
    /// range.
    template <class T> void ratio(const T* u, int64_t su, const T* v, int64_t sv, const T* p,
                                  int64_t sp, const T* q, int64_t sq, T* y, int64_t n);

    /// y[i] = g[i sg] b[i sb] a[i sa]^(b[i sb] - 1), as if no factor left T's range; 0 where g or b
    /// is 0.
    template <class T> void pow_slope(const T* g, int64_t sg, const T* a, int64_t sa, const T* b,
                                      int64_t sb, T* y, int64_t n);

    template <class T>
    void compare(Compare op, const T* a, int64_t sa, const T* b, int64_t sb, bool* y, int64_t n);

    /// y[i] = c[i sc] ? a[i sa] : b[i sb]. T also bool.
    template <class T> void where(const bool* c, int64_t sc, const T* a, int64_t sa, const T* b,
                                  int64_t sb, T* y, int64_t n);

    template <class T> void add_inplace(T* y, const T* x, int64_t n);     // y += x
    template <class T> void axpy(T alpha, const T* x, T* y, int64_t n);   // y += alpha x
    template <class T> void scale(T alpha, const T* x, T* y, int64_t n);  // y = alpha x
    template <class T> void fill(T* y, T value, int64_t n);               // T also bool

    /// Whether no x[i sx] is NaN or infinite. T: float or double.
    template <class T> bool all_finite(const T* x, int64_t sx, int64_t n);)
WEFT_DISPATCH(unary)
WEFT_DISPATCH(unary_grad)
WEFT_DISPATCH(binary)
WEFT_DISPATCH(ratio)
WEFT_DISPATCH(pow_slope)
WEFT_DISPATCH(compare)
WEFT_DISPATCH(where)
WEFT_DISPATCH(add_inplace)
WEFT_DISPATCH(axpy)
WEFT_DISPATCH(scale)
WEFT_DISPATCH(fill)
WEFT_DISPATCH(all_finite)

}  // namespace weft::kernels
