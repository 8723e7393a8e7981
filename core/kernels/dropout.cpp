// Dropout, with the Philox words made in the loop.
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/philox.h>

namespace weft::kernels::WEFT_ISA {
namespace {

constexpr int64_t kBlock = 64;  // philox positions made at once: 256 elements

/// scales[i] = keep_i ? 1 / (1 - p) : 0 for the 4 kBlock elements from philox position `first` on.
template <class T>
WEFT_INLINE void scales_block(uint64_t first, double p, RandomKey key, T* scales) {
  const uint32_t least = dropout_threshold(p);
  const T keep = static_cast<T>(1 / (1 - p));
  uint32_t words[4][kBlock];
#pragma omp simd
  for (int64_t j = 0; j < kBlock; ++j) {
    const PhiloxWords w = philox_words(key.seed, key.offset + first + static_cast<uint64_t>(j));
    words[0][j] = w.w0;
    words[1][j] = w.w1;
    words[2][j] = w.w2;
    words[3][j] = w.w3;
  }
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
