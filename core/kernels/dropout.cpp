// Dropout, with the Philox words of core/random.h made in the loop.
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {
namespace {

/// The four words of philox(seed, counter); see core/random.cpp, whose numbers these are.
WEFT_INLINE void philox_words(uint64_t seed, uint64_t counter, uint32_t* out) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = 0, c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

}  // namespace

template <class T>
void dropout(const T* x, T* y, int64_t first, int64_t n, double p, RandomKey key) {
  const auto threshold = static_cast<uint64_t>(p * 0x1p32);
  const T keep_scale = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
  uint32_t words[4];
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<uint64_t>(first + i);
    if (i == 0 || at % 4 == 0) philox_words(key.seed, key.offset + at / 4, words);
    y[i] = words[at % 4] >= threshold ? x[i] * keep_scale : T(0);
  }
}

template void dropout(const float*, float*, int64_t, int64_t, double, RandomKey);
template void dropout(const double*, double*, int64_t, int64_t, double, RandomKey);

}  // namespace weft::kernels::WEFT_ISA
