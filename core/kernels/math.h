// Functions of one float that compilers vectorize inside plain loops, to about 2 ulp; for double,
// the C library's. For files compiled per instruction set: everything here has internal linkage.
#pragma once

#include <math.h>

#include <cstdint>

#define WEFT_INLINE static inline __attribute__((always_inline))
#define WEFT_INLINE_LAMBDA __attribute__((always_inline))

namespace weft::kernels::WEFT_ISA {

WEFT_INLINE float as_float(uint32_t bits) { return __builtin_bit_cast(float, bits); }
WEFT_INLINE uint32_t as_bits(float x) { return __builtin_bit_cast(uint32_t, x); }

/// e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2, e^r by a polynomial. Adding 1.5 * 2^23
/// rounds to an integer that stands in the low bits. 2^n is applied in two factors: n may be -150
/// or 128.
WEFT_INLINE float exp_of(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float kRound = 12582912.0f;
  const float t = x * 1.44269504f + kRound;
  const float n = t - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * r) * r + r + 1.0f;
  const uint32_t k = as_bits(t) - as_bits(kRound);
  const uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(k) >> 1);
  return p * as_float((half + 127) << 23) * as_float((k - half + 127) << 23);
}
WEFT_INLINE double exp_of(double x) { return ::exp(x); }

WEFT_INLINE float log_of(float x) { return ::logf(x); }
WEFT_INLINE double log_of(double x) { return ::log(x); }

WEFT_INLINE float log1p_of(float x) { return ::log1pf(x); }
WEFT_INLINE double log1p_of(double x) { return ::log1p(x); }

WEFT_INLINE float tanh_of(float x) { return ::tanhf(x); }
WEFT_INLINE double tanh_of(double x) { return ::tanh(x); }

WEFT_INLINE float erf_of(float x) { return ::erff(x); }
WEFT_INLINE double erf_of(double x) { return ::erf(x); }

WEFT_INLINE float sqrt_of(float x) { return __builtin_sqrtf(x); }
WEFT_INLINE double sqrt_of(double x) { return __builtin_sqrt(x); }

WEFT_INLINE float sin_of(float x) { return ::sinf(x); }
WEFT_INLINE double sin_of(double x) { return ::sin(x); }
WEFT_INLINE float cos_of(float x) { return ::cosf(x); }
WEFT_INLINE double cos_of(double x) { return ::cos(x); }

WEFT_INLINE float pow_of(float x, float y) { return ::powf(x, y); }
WEFT_INLINE double pow_of(double x, double y) { return ::pow(x, y); }

template <class T>
WEFT_INLINE T sigmoid_of(T x) {
  return T(1) / (T(1) + exp_of(-x));
}

/// The largest of n numbers, NaN aside; -inf for none.
template <class T>
WEFT_INLINE T max_of(const T* x, int64_t n) {
  T m = static_cast<T>(-__builtin_inf());
#pragma omp simd reduction(max : m)
  for (int64_t i = 0; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

}  // namespace weft::kernels::WEFT_ISA
