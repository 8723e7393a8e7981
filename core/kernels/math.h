// Functions of one float that compilers vectorize inside plain loops, to about 2 ulp; for double,
// the C library's. For files compiled per instruction set: everything here has internal linkage.
// The polynomials are Chebyshev fits on the stated intervals.
#pragma once

#include <math.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#define WEFT_INLINE static inline __attribute__((always_inline))
#define WEFT_INLINE_LAMBDA __attribute__((always_inline))

namespace weft::kernels::WEFT_ISA {

WEFT_INLINE float as_float(uint32_t bits) { return __builtin_bit_cast(float, bits); }
WEFT_INLINE uint32_t as_bits(float x) { return __builtin_bit_cast(uint32_t, x); }

/// ln 2 in two parts; an integer below 2^14 times the first is exact.
inline constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;

/// e^r for |r| <= ln 2 / 2.
WEFT_INLINE float exp_poly(float r) {
  float p = 1.392625083e-3f;
  p = p * r + 8.363232884e-3f;
  p = p * r + 4.166655421e-2f;
  p = p * r + 1.666657667e-1f;
  p = p * r + 0.5f;
  return (p * r) * r + r + 1.0f;
}

/// Adding it rounds to an integer that stands in the low bits.
inline constexpr float kRound = 12582912.0f;  // 1.5 * 2^23

/// e^r 2^n for n = t - kRound, in two factors: n may be -150 or 128.
WEFT_INLINE float exp_scaled(float r, float t) {
  const uint32_t k = as_bits(t) - as_bits(kRound);
  const uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(k) >> 1);
  return exp_poly(r) * as_float((half + 127) << 23) * as_float((k - half + 127) << 23);
}

/// e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2.
WEFT_INLINE float exp_of(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float t = x * 1.44269504f + kRound;
  const float n = t - kRound;
  return exp_scaled((x - n * kLn2High) - n * kLn2Low, t);
}
WEFT_INLINE double exp_of(double x) { return ::exp(x); }

/// e^x for x <= 0 (up to rounding), 0 below the least normal number: one factor of 2^n suffices.
WEFT_INLINE float exp_below(float x) {
  const float t = x * 1.44269504f + kRound;
  const float n = t - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  const float y = exp_poly(r) * as_float((as_bits(t) - as_bits(kRound) + 127) << 23);
  return x < -87.0f ? 0.0f : y;
}
WEFT_INLINE double exp_below(double x) { return ::exp(x); }

/// log x = n ln 2 + log(1 + f), x = 2^n (1 + f), 1 + f in [sqrt(1/2), sqrt(2)); numbers below the
/// least normal one are scaled by 2^23 first.
WEFT_INLINE float log_of(float x) {
  const bool tiny = x < 0x1p-126f;
  const uint32_t bits = as_bits(tiny ? x * 0x1p23f : x);
  const uint32_t above = bits - 0x3f3504f3u;  // sqrt(1/2)
  const float n = static_cast<float>(static_cast<int32_t>(above) >> 23) - (tiny ? 23.0f : 0.0f);
  const float f = as_float((above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  float p = 6.971611471e-2f;
  p = p * f - 1.147973385e-1f;
  p = p * f + 1.168541992e-1f;
  p = p * f - 1.242568733e-1f;
  p = p * f + 1.424905765e-1f;
  p = p * f - 1.666780232e-1f;
  p = p * f + 2.000071575e-1f;
  p = p * f - 2.499999696e-1f;
  p = p * f + 3.333333118e-1f;
  const float f2 = f * f;
  float y = (p * f) * f2 + n * kLn2Low - 0.5f * f2 + f + n * kLn2High;
  y = x == 0.0f ? -__builtin_inff() : y;
  y = x < 0.0f ? __builtin_nanf("") : y;
  return x < __builtin_inff() ? y : x;  // inf and NaN are themselves
}
WEFT_INLINE double log_of(double x) { return ::log(x); }

/// log(1 + x) for x in [0, 1]; the last term gives back what rounding 1 + x lost.
WEFT_INLINE float log1p_of(float x) {
  const float w = 1.0f + x;
  return log_of(w) + (x - (w - 1.0f)) / w;
}
WEFT_INLINE double log1p_of(double x) { return ::log1p(x); }

/// x + x^3 P(x^2) for |x| < 0.63, else 1 - 2 / (e^(2 |x|) + 1) with the sign of x.
WEFT_INLINE float tanh_of(float x) {
  const float size = __builtin_fabsf(x), z = x * x;
  float p = -6.045165097e-3f;
  p = p * z + 2.096132911e-2f;
  p = p * z - 5.384326318e-2f;
  p = p * z + 1.333271885e-1f;
  p = p * z - 3.333332843e-1f;
  const float large = 1.0f - 2.0f / (exp_of(2.0f * size) + 1.0f);
  return size < 0.63f ? p * z * x + x : __builtin_copysignf(large, x);
}
WEFT_INLINE double tanh_of(double x) { return ::tanh(x); }

/// Where e^(-a^2 / 2) and all that it is a factor of are 0 in type T.
template <class T>
inline constexpr T kGaussEnd = sizeof(T) == 4 ? T(14.5) : T(39);

/// e^(-a^2 / 2) for a in [0, kGaussEnd]. The square is taken in two parts, since its rounding would
/// be magnified by a^2 / 2.
WEFT_INLINE float gauss_of(float a) {
  const float high = as_float(as_bits(a) & 0xfffff000u);  // its square is exact
  const float x = -0.5f * (high * high), rest = -0.5f * ((a - high) * (a + high));
  const float t = (x + rest) * 1.44269504f + kRound;
  const float n = t - kRound;
  return exp_scaled((x - n * kLn2High) - n * kLn2Low + rest, t);
}
WEFT_INLINE double gauss_of(double a) {
  const uint64_t bits = __builtin_bit_cast(uint64_t, a) & ~uint64_t{0x7ffffff};
  const double high = __builtin_bit_cast(double, bits), rest = -0.5 * ((a - high) * (a + high));
  return ::exp(-0.5 * (high * high)) * (1 + rest * (1 + rest / 2 * (1 + rest / 3)));
}

/// Phi(-a), the standard normal distribution's tail, for a in [0, kGaussEnd] and gauss =
/// gauss_of(a): gauss t P(t) with t = 1 / (1 + 0.3 a).
WEFT_INLINE float normal_tail(float a, float gauss) {
  const float t = 1.0f / (1.0f + 0.3f * a);
  float p = -2.047719176e-02f;
  p = p * t + 1.116879346e-01f;
  p = p * t - 2.265746753e-01f;
  p = p * t + 1.897703395e-01f;
  p = p * t - 7.790065776e-02f;
  p = p * t + 9.542575543e-02f;
  p = p * t + 7.861141943e-02f;
  p = p * t + 1.101946325e-01f;
  p = p * t + 1.195759245e-01f;
  p = p * t + 1.196865175e-01f;
  return gauss * (p * t);
}
/// erfc(a / sqrt 2) / 2, and what the rounding of a / sqrt 2 took from it.
WEFT_INLINE double normal_tail(double a, double gauss) {
  constexpr double kHigh = 0.70710678118654752440, kLow = -4.8336466567264567e-17;
  const double z = a * kHigh, lost = __builtin_fma(a, kHigh, -z) + a * kLow;
  return 0.5 * ::erfc(z) - gauss * 0.56418958354775628695 * lost;
}

WEFT_INLINE float sqrt_of(float x) { return __builtin_sqrtf(x); }
WEFT_INLINE double sqrt_of(double x) { return __builtin_sqrt(x); }
WEFT_INLINE float abs_of(float x) { return __builtin_fabsf(x); }
WEFT_INLINE double abs_of(double x) { return __builtin_fabs(x); }

WEFT_INLINE float pow_of(float x, float y) { return ::powf(x, y); }
WEFT_INLINE double pow_of(double x, double y) { return ::pow(x, y); }

/// sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), each with all its digits.
template <class T>
struct Sigmoids {
  T of, of_negated;
};

template <class T>
WEFT_INLINE Sigmoids<T> sigmoids_of(T x) {
  const T e = exp_of(-abs_of(x)), large = T(1) / (T(1) + e), small = e * large;
  return {x < T(0) ? small : large, x < T(0) ? large : small};
}

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

/// One vector register. For loops that compilers do not vectorize by themselves.
template <class T>
struct Lanes {
  using type [[gnu::vector_size(kVectorBytes)]] = T;
  static constexpr int64_t count = kVectorBytes / static_cast<int64_t>(sizeof(T));
};

template <class T>
WEFT_INLINE typename Lanes<T>::type load(const T* x) {
  typename Lanes<T>::type v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}

/// The first n < count elements, and `rest` behind them.
template <class T>
WEFT_INLINE typename Lanes<T>::type load_some(const T* x, int64_t n, T rest) {
  alignas(kVectorBytes) T lanes[Lanes<T>::count];
#pragma omp simd
  for (int64_t j = 0; j < Lanes<T>::count; ++j) lanes[j] = j < n ? x[j] : rest;
  return load(lanes);
}

/// The lanes of v as one by f, which takes vectors: their halves, quarters and so on.
template <class T, class F, std::size_t... kLane>
WEFT_INLINE T fold_in_halves(typename Lanes<T>::type v, F f, std::index_sequence<kLane...>) {
  for (std::size_t width = sizeof...(kLane) / 2; width > 0; width /= 2) {
    const typename Lanes<T>::type other = {v[kLane ^ width]...};
    v = f(v, other);
  }
  return v[0];
}

/// Compilers fold the lanes of a reduction one after the other, which takes longer than a short row
/// itself.
template <class T, class F>
WEFT_INLINE T fold_lanes(typename Lanes<T>::type v, F f) {
  return fold_in_halves<T>(v, f, std::make_index_sequence<Lanes<T>::count>());
}

/// The sum of a vector's lanes.
template <class T>
WEFT_INLINE T sum_of_lanes(typename Lanes<T>::type v) {
  return fold_lanes<T>(v, [](auto a, auto b) WEFT_INLINE_LAMBDA { return a + b; });
}

/// The largest (or least) of n >= 1 numbers; NaNs may be passed over.
template <bool kLargest, class T>
WEFT_INLINE T extreme_of(const T* x, int64_t n) {
  constexpr int64_t kCount = Lanes<T>::count;
  const auto better = [](auto a, auto b)
                          WEFT_INLINE_LAMBDA { return (kLargest ? a > b : a < b) ? a : b; };
  if (n < kCount) return fold_lanes<T>(load_some(x, n, x[0]), better);
  const T* const last = x + n - kCount;  // may overlap the one before
  auto m0 = load(x), m1 = load(last);
  for (int64_t i = kCount; i + kCount < n; i += 2 * kCount) {
    m0 = better(load(x + i), m0);
    m1 = better(load(i + 2 * kCount < n ? x + i + kCount : last), m1);
  }
  return fold_lanes<T>(better(m1, m0), better);
}

}  // namespace weft::kernels::WEFT_ISA
