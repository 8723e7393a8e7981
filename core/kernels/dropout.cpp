// Dropout, with the Philox words made in the loop.
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/philox.h>

namespace weft::kernels::WEFT_ISA {
namespace {

constexpr int64_t kBlock = 8 * kPositions;  // positions made at once, four elements each

// {a0, b0, a2, b2, ...} and {a1, b1, a3, b3, ...}: one instruction each.
#if defined(__AVX512F__)
WEFT_INLINE Words even(Words a, Words b) {
  return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
}
WEFT_INLINE Words odd(Words a, Words b) {
  return __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
}
#elif defined(__AVX2__)
WEFT_INLINE Words even(Words a, Words b) { return __builtin_shufflevector(a, b, 0, 4, 2, 6); }
WEFT_INLINE Words odd(Words a, Words b) { return __builtin_shufflevector(a, b, 1, 5, 3, 7); }
#else
WEFT_INLINE Words even(Words a, Words b) { return __builtin_shufflevector(a, b, 0, 2); }
WEFT_INLINE Words odd(Words a, Words b) { return __builtin_shufflevector(a, b, 1, 3); }
#endif

/// words[0..4 kBlock): those of philox positions `first` on, in order. Even lanes take the first
/// half of a vector's positions, odd lanes the second: so even() and odd() put them in order.
WEFT_INLINE void words_block(RandomKey key, uint64_t first, uint32_t* words) {
  Words position = {};
  for (int64_t l = 0; l < kPositions; ++l)
    position[l] = key.offset + first + static_cast<uint64_t>(l / 2 + l % 2 * (kPositions / 2));
  for (int64_t j = 0; j < kBlock; j += kPositions, words += 4 * kPositions) {
    Words w[4];
    philox_words(key.seed, position, w);
    const Words low = (w[0] & 0xffffffff) | w[1] << 32, high = (w[2] & 0xffffffff) | w[3] << 32;
    const Words front = even(low, high), back = odd(low, high);
    __builtin_memcpy(words, &front, sizeof front);
    __builtin_memcpy(words + 2 * kPositions, &back, sizeof back);
    position += static_cast<uint64_t>(kPositions);
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

WEFT_INSTANTIATE(dropout, float, double)

}  // namespace weft::kernels::WEFT_ISA
