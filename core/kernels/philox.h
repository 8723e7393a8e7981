// The numbers of core/random.h's philox(), many at a time. For files compiled per instruction set.
#pragma once

#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {

/// Words 0..3 of philox(seed, counter).
struct PhiloxWords {
  uint32_t w0, w1, w2, w3;
};

WEFT_INLINE PhiloxWords philox_words(uint64_t seed, uint64_t counter) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = 0, c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

/// Elements whose word is below this are dropped; p < 1.
WEFT_INLINE uint32_t dropout_threshold(double p) { return static_cast<uint32_t>(p * 0x1p32); }

}  // namespace weft::kernels::WEFT_ISA
