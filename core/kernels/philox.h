// The numbers of core/random.h's philox(), a vector of positions at a time. For files compiled per
// instruction set.
#pragma once

#include <weft/core/kernels/math.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace weft::kernels::WEFT_ISA {

/// 32-bit numbers in the low halves of 64-bit lanes; the high halves hold anything.
using Words = Lanes<uint64_t>::type;
inline constexpr int64_t kPositions = Lanes<uint64_t>::count;

/// Products of the low halves.
WEFT_INLINE Words multiply_low(Words a, uint64_t b) {
#if defined(__AVX512F__)
  return (Words)_mm512_maskz_mul_epu32(0xff, (__m512i)a,
                                       _mm512_set1_epi64(static_cast<int64_t>(b)));
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(static_cast<int64_t>(b)));
#elif defined(__SSE2__)
  return (Words)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(static_cast<int64_t>(b)));
#else
  return (a & 0xffffffff) * b;
#endif
}

/// w[i] = word i of philox(seed, counter), for each counter.
WEFT_INLINE void philox_words(uint64_t seed, Words counter, Words (&w)[4]) {
  Words c0 = counter, c1 = counter >> 32, c2 = {}, c3 = {};
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words p0 = multiply_low(c0, 0xD2511F53), p1 = multiply_low(c2, 0xCD9E8D57);
    c0 = (p1 >> 32) ^ c1 ^ k0;
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ k1;
    c3 = p0;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  w[0] = c0;
  w[1] = c1;
  w[2] = c2;
  w[3] = c3;
}

/// first, first + step, ...
WEFT_INLINE Words sequence(uint64_t first, uint64_t step) {
  Words s = {};
  for (int64_t j = 0; j < kPositions; ++j) s[j] = first + static_cast<uint64_t>(j) * step;
  return s;
}

/// Elements whose word is below this are dropped; p < 1.
WEFT_INLINE uint32_t dropout_threshold(double p) { return static_cast<uint32_t>(p * 0x1p32); }

}  // namespace weft::kernels::WEFT_ISA
