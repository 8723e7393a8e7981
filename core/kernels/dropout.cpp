// Dropout, with the Philox words of core/random.h made in the loop.
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {
namespace {

constexpr int64_t kBlock = 64;  // philox positions made at once: 256 elements

/// words[w][j] = word w of philox(seed, first + j); see core/random.cpp, whose numbers these are.
WEFT_INLINE void philox_block(uint64_t seed, uint64_t first, uint32_t (*words)[kBlock]) {
#pragma omp simd
  for (int64_t j = 0; j < kBlock; ++j) {
    const uint64_t counter = first + static_cast<uint64_t>(j);
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
    words[0][j] = c0;
    words[1][j] = c1;
    words[2][j] = c2;
    words[3][j] = c3;
  }
}

/// scales[i] = keep_i ? 1 / (1 - p) : 0 for the 4 kBlock elements from philox position `first` on.
template <class T>
WEFT_INLINE void scales_block(uint64_t first, double p, RandomKey key, T* scales) {
  const auto least = static_cast<uint32_t>(p * 0x1p32);  // p < 1
  const T keep = static_cast<T>(1 / (1 - p));
  uint32_t words[4][kBlock];
  philox_block(key.seed, key.offset + first, words);
#pragma omp simd
  for (int64_t j = 0; j < kBlock; ++j) {
    scales[4 * j + 0] = words[0][j] >= least ? keep : T(0);
    scales[4 * j + 1] = words[1][j] >= least ? keep : T(0);
    scales[4 * j + 2] = words[2][j] >= least ? keep : T(0);
    scales[4 * j + 3] = words[3][j] >= least ? keep : T(0);
  }
}

}  // namespace

template <class T>
void dropout(const T* x, T* y, int64_t first, int64_t n, double p, RandomKey key) {
  if (p >= 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = T(0);
    return;
  }
  int64_t skip = first % 4;  // elements of the first philox position that are not ours
  for (int64_t i = 0; i < n;) {
    T scales[4 * kBlock];
    scales_block(static_cast<uint64_t>((first + i) / 4), p, key, scales);
    const int64_t count = n - i < 4 * kBlock - skip ? n - i : 4 * kBlock - skip;
    const T *from = x + i, *factor = scales + skip;
    T* to = y + i;
    // A select, not a product: what is dropped gives 0 even where it is NaN.
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) to[j] = factor[j] != T(0) ? from[j] * factor[j] : T(0);
    i += count;
    skip = 0;
  }
}

template void dropout(const float*, float*, int64_t, int64_t, double, RandomKey);
template void dropout(const double*, double*, int64_t, int64_t, double, RandomKey);

}  // namespace weft::kernels::WEFT_ISA
