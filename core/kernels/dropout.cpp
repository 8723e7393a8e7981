// Dropout, with the Philox words made in the loop.
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/philox.h>

namespace weft::kernels::WEFT_ISA {
namespace {

constexpr int64_t kBlock = 8 * kPositions;  // positions made at once, four elements each

/// words[0..4 kBlock): those of philox positions `first` on, in order.
WEFT_INLINE void words_block(RandomKey key, uint64_t first, uint32_t* words) {
  for (int64_t j = 0; j < kBlock; j += kPositions) {
    Words w[4];
    philox_words(key.seed, sequence(key.offset + first + static_cast<uint64_t>(j), 1), w);
    uint64_t pairs[2][kPositions];
    const Words low = (w[0] & 0xffffffff) | w[1] << 32, high = (w[2] & 0xffffffff) | w[3] << 32;
    __builtin_memcpy(pairs[0], &low, sizeof low);
    __builtin_memcpy(pairs[1], &high, sizeof high);
#pragma omp simd
    for (int64_t i = 0; i < kPositions; ++i) {
      uint32_t* out = words + 4 * (j + i);
      out[0] = static_cast<uint32_t>(pairs[0][i]);
      out[1] = static_cast<uint32_t>(pairs[0][i] >> 32);
      out[2] = static_cast<uint32_t>(pairs[1][i]);
      out[3] = static_cast<uint32_t>(pairs[1][i] >> 32);
    }
  }
}

}  // namespace

template <class T>
void dropout(const T* x, T* y, int64_t first, int64_t n, double p, RandomKey key) {
  if (p >= 1) {
    for (int64_t i = 0; i < n; ++i) y[i] = T(0);
    return;
  }
  const uint32_t threshold = dropout_threshold(p);
  const T keep = static_cast<T>(1 / (1 - p));
  int64_t skip = first % 4;  // elements of the first philox position that are not ours
  for (int64_t i = 0; i < n;) {
    uint32_t words[4 * kBlock];
    words_block(key, static_cast<uint64_t>((first + i) / 4), words);
    const int64_t count = n - i < 4 * kBlock - skip ? n - i : 4 * kBlock - skip;
    const T* from = x + i;
    const uint32_t* word = words + skip;
    T* to = y + i;
    // A select, not a product: what is dropped gives 0 even where it is NaN.
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) {
      const T kept = from[j] * keep;
      to[j] = word[j] >= threshold ? kept : T(0);
    }
    i += count;
    skip = 0;
  }
}

template void dropout(const float*, float*, int64_t, int64_t, double, RandomKey);
template void dropout(const double*, double*, int64_t, int64_t, double, RandomKey);

}  // namespace weft::kernels::WEFT_ISA
