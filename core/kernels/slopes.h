// Activations, their slopes, and the slopes of quotients and powers, each right to the ends of its
// type: no 1 - y where y is near 1, no infinity times 0. As in math.h, for loops that vectorize.
#pragma once

#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {

inline constexpr double kInvSqrt2Pi = 0.39894228040143267794;   // 1 / sqrt(2 pi)
inline constexpr double kSqrt2OverPi = 0.79788456080286535588;  // sqrt(2 / pi)
inline constexpr double kTanhCubic = 0.044715;

/// x within [-end, end]. Beyond `end` a function that saturates has reached its limit in T, and
/// powers of x would overflow to 0 times infinity.
template <class T>
WEFT_INLINE T within(T x, T end) {
  return x < -end ? -end : x > end ? end : x;
}

/// x sigmoid(x); the limit, 0, at -infinity.
template <class T>
WEFT_INLINE T silu_of(T x) {
  const T e = exp_of(-abs_of(x)), v = x < T(-1000) ? T(-1000) : x;
  return (x < T(0) ? e * v : v) / (T(1) + e);
}

template <class T>
WEFT_INLINE T silu_slope(T x) {  // s(x) (1 + x s(-x))
  const T v = within(x, T(1000));
  const Sigmoids<T> s = sigmoids_of(v);
  return s.of * (T(1) + v * s.of_negated);
}

template <class T>
WEFT_INLINE T gelu_of(T x) {
  const T v = within(x, kGaussEnd<T>), a = abs_of(v), tail = normal_tail(a, gauss_of(a));
  return x < T(0) ? v * tail : x * (T(1) - tail);
}

template <class T>
WEFT_INLINE T gelu_slope(T x) {  // Phi(x) + x phi(x)
  const T a = abs_of(within(x, kGaussEnd<T>)), gauss = gauss_of(a);
  const T beyond = a * T(kInvSqrt2Pi) * gauss - normal_tail(a, gauss);
  return x < T(0) ? -beyond : T(1) + beyond;
}

inline constexpr double kGeluTanhEnd = 30;

/// Twice the argument of tanh in gelu_tanh: (1 + tanh(z / 2)) / 2 = sigmoid(z).
template <class T>
WEFT_INLINE T gelu_inner(T x) {
  return T(2 * kSqrt2OverPi) * x * (T(1) + T(kTanhCubic) * x * x);
}

template <class T>
WEFT_INLINE T gelu_tanh_of(T x) {
  const T v = within(x, T(kGeluTanhEnd)), z = gelu_inner(v), e = exp_of(-abs_of(z));
  return (x < T(0) ? e * v : x) / (T(1) + e);
}

template <class T>
WEFT_INLINE T gelu_tanh_slope(T x) {  // s(z) (1 + x s(-z) z')
  const T v = within(x, T(kGeluTanhEnd));
  const Sigmoids<T> s = sigmoids_of(gelu_inner(v));
  return s.of *
         (T(1) + v * s.of_negated * (T(2 * kSqrt2OverPi) * (T(1) + T(3 * kTanhCubic) * v * v)));
}

template <class T>
WEFT_INLINE T tanh_slope(T x) {  // 1 / cosh(x)^2
  const T e = exp_of(T(-2) * abs_of(x)), r = T(1) / (T(1) + e);
  return T(4) * e * r * r;
}

template <class T>
WEFT_INLINE T sigmoid_slope(T x) {
  const T e = exp_of(-abs_of(x)), r = T(1) / (T(1) + e);
  return e * r * r;
}

template <class T>
WEFT_INLINE T softplus_of(T x) {
  return (x < T(0) ? T(0) : x) + log1p_of(exp_of(-abs_of(x)));
}

// The squares of a float and of its inverse are normal numbers in double.
WEFT_INLINE float ratio_of(float u, float v, float p, float q) {
  const double above = static_cast<double>(u) * static_cast<double>(v);
  return static_cast<float>(above / (static_cast<double>(p) * static_cast<double>(q)));
}

WEFT_INLINE bool far_from_ends(double x) {
  return __builtin_fabs(x) > 1e-290 && __builtin_fabs(x) < 1e290;
}

WEFT_INLINE double ratio_of(double u, double v, double p, double q) {
  const double above = u * v, below = p * q;
  if (far_from_ends(below) && (far_from_ends(above) || u == 0 || v == 0)) return above / below;
  int eu = 0, ev = 0, ep = 0, eq = 0;  // mantissas in [1/2, 1), exponents apart
  const double mantissa = ::frexp(u, &eu) * ::frexp(v, &ev) / (::frexp(p, &ep) * ::frexp(q, &eq));
  return ::ldexp(mantissa, eu + ev - ep - eq);
}

WEFT_INLINE float pow_slope_of(float g, float a, float b) {
  if (g == 0.0f || b == 0.0f) return 0.0f;
  const double exponent = static_cast<double>(b) - 1;
  return static_cast<float>(static_cast<double>(g) * static_cast<double>(b) *
                            ::pow(static_cast<double>(a), exponent));
}

// a^(b - 1) is a^b / a, and at least one of the powers is in range where the slope is.
WEFT_INLINE double pow_slope_of(double g, double a, double b) {
  if (g == 0 || b == 0) return 0;
  const double power = ::pow(a, b - 1), whole = ::pow(a, b);
  if (far_from_ends(power) || !far_from_ends(whole)) return ratio_of(g * b, power, 1, 1);
  return ratio_of(g * b, whole, a, 1);
}

}  // namespace weft::kernels::WEFT_ISA
