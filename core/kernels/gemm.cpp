// The product as rank-1 updates of small tiles of C that stay in registers. B is packed into
// slivers one tile wide, A into slivers one tile high where its rows are not contiguous.
#include <weft/core/kernels/gemm.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int64_t kTileRows = 12;  // 24 accumulators of 32 registers
#else
constexpr int64_t kTileRows = 6;  // 12 of 16
#endif
constexpr int kTileVectors = 2;
constexpr int64_t kDepth = 256;   // a sliver of B stays in L1
constexpr int64_t kHeight = 192;  // a block of A stays in L2
constexpr int64_t kFewRows = 64;  // of A: too few to make packing B pay

template <class T>
constexpr int64_t kTileColumns = kTileVectors* Lanes<T>::count;

WEFT_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

template <class T>
WEFT_INLINE void store(T* y, typename Lanes<T>::type v) {
  __builtin_memcpy(y, &v, sizeof v);
}

template <class T>
struct Scale {
  T alpha, beta;
  WEFT_INLINE_LAMBDA typename Lanes<T>::type operator()(typename Lanes<T>::type sum,
                                                        const T* c) const {
    return beta == T(0) ? alpha * sum : alpha * sum + beta * load(c);
  }
};

/// The same for the first `width` elements, which may be more or fewer than a vector's.
template <class T>
WEFT_INLINE void store_some(typename Lanes<T>::type sum, Scale<T> scale, T* c, int64_t width) {
  alignas(kVectorBytes) T value[Lanes<T>::count];
  store(value, scale.alpha * sum);
  if (scale.beta == T(0)) {
#pragma omp simd
    for (int64_t j = 0; j < Lanes<T>::count; ++j)
      if (j < width) c[j] = value[j];
  } else {
#pragma omp simd
    for (int64_t j = 0; j < Lanes<T>::count; ++j)
      if (j < width) c[j] = value[j] + scale.beta * c[j];
  }
}

/// C [kRows, width] of one tile, width <= kVectors vectors; b holds rows of at least that length.
template <int kRows, int kVectors, class T>
void tile(int64_t k, const Strided<T>& a, const T* b, int64_t step_b, Scale<T> scale, T* c,
          int64_t ldc, int64_t width) {
  using V = typename Lanes<T>::type;
  constexpr int64_t kCount = Lanes<T>::count;
  V sum[kRows][kVectors] = {};
  const T* ap = a.data;
  for (int64_t p = 0; p < k; ++p, ap += a.column, b += step_b) {
    V row[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) row[j] = load(b + j * kCount);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sum[i][j] += ap[i * a.row] * row[j];
  }
  if (width == kVectors * kCount) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j)
        store(c + i * ldc + j * kCount, scale(sum[i][j], c + i * ldc + j * kCount));
    return;
  }
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j)
      store_some(sum[i][j], scale, c + i * ldc + j * kCount, width - j * kCount);
}

template <int kRows, class T>
WEFT_INLINE void tile_of(int64_t k, const Strided<T>& a, const T* b, int64_t step_b, Scale<T> scale,
                         T* c, int64_t ldc, int64_t width) {
  if (width > Lanes<T>::count)
    tile<kRows, 2>(k, a, b, step_b, scale, c, ldc, width);
  else
    tile<kRows, 1>(k, a, b, step_b, scale, c, ldc, width);
}

/// A column of tiles: C [m, width].
template <class T>
void tiles(int64_t m, int64_t k, Strided<T> a, const T* b, int64_t step_b, Scale<T> scale, T* c,
           int64_t ldc, int64_t width) {
  int64_t i = 0;
  auto run = [&]<int kRows>() WEFT_INLINE_LAMBDA {
    for (; i + kRows <= m; i += kRows) {
      tile_of<kRows>(k, Strided<T>{a.data + i * a.row, a.row, a.column}, b, step_b, scale,
                     c + i * ldc, ldc, width);
    }
  };
  run.template operator()<kTileRows>();
  if constexpr (kTileRows > 8) run.template operator()<8>();
  run.template operator()<4>();
  run.template operator()<2>();
  run.template operator()<1>();
}

/// Four columns of out = four rows of b [4, k] at a time.
template <class T>
WEFT_INLINE void transpose(int64_t k, const T* b, int64_t step_b, T* out, int64_t step_out) {
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
  int64_t p = 0;
  for (; p + 4 <= k; p += 4) {
    Four row[4];
    for (int j = 0; j < 4; ++j) __builtin_memcpy(&row[j], b + j * step_b + p, sizeof(Four));
    const Four low01 = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5);
    const Four high01 = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7);
    const Four low23 = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    const Four high23 = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    row[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    row[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    row[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    row[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
    for (int j = 0; j < 4; ++j) __builtin_memcpy(out + (p + j) * step_out, &row[j], sizeof(Four));
  }
  for (; p < k; ++p)
    for (int j = 0; j < 4; ++j) out[p * step_out + j] = b[j * step_b + p];
}

/// out[p, j] = b[p, j] in rows of `padded` elements, zeros beyond `width`.
template <class T>
void pack(int64_t k, int64_t width, int64_t padded, const Strided<T>& b, T* out) {
  if (b.column == 1 && width == kTileColumns<T>) {
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = 0; j < kTileColumns<T>; ++j)
        out[p * kTileColumns<T> + j] = b.data[p * b.row + j];
    return;
  }
  int64_t j = 0;
  if (b.row == 1)
    for (; j + 4 <= width; j += 4) transpose(k, b.data + j * b.column, b.column, out + j, padded);
  for (int64_t p = 0; p < k; ++p) {
    for (int64_t l = j; l < width; ++l) out[p * padded + l] = b.data[p * b.row + l * b.column];
    for (int64_t l = width; l < padded; ++l) out[p * padded + l] = T(0);
  }
}

/// C += for one block of depth: a [m, depth], b [depth, n].
template <class T>
void block(int64_t m, int64_t n, int64_t depth, const Strided<T>& a, const Strided<T>& b,
           Scale<T> scale, T* c, int64_t ldc) {
  constexpr int64_t kWidth = kTileColumns<T>;
  alignas(kVectorBytes) T packed[kDepth * kWidth];
  for (int64_t j = 0; j < n; j += kWidth) {
    const int64_t width = least(kWidth, n - j);
    const int64_t padded = width > kWidth / 2 ? kWidth : kWidth / 2;
    const Strided<T> part{b.data + j * b.column, b.row, b.column};
    const bool as_is = b.column == 1 && width == padded && m <= kFewRows;
    if (!as_is) pack(depth, width, padded, part, packed);
    tiles(m, depth, a, as_is ? part.data : packed, as_is ? b.row : padded, scale, c + j, ldc,
          width);
  }
}

/// The same for an A whose columns are far apart: read tile by tile, each column would be a page.
template <class T>
void block_of_columns(int64_t m, int64_t n, int64_t depth, const Strided<T>& a, const Strided<T>& b,
                      Scale<T> scale, T* c, int64_t ldc) {
  alignas(kVectorBytes) T packed[kDepth * kHeight];
  for (int64_t i = 0; i < m; i += kHeight) {
    const int64_t height = least(kHeight, m - i);
    for (int64_t p = 0; p < depth; ++p)
      for (int64_t r = 0; r < height; ++r) packed[p * kHeight + r] = a.data[p * a.column + i + r];
    block(height, n, depth, Strided<T>{packed, 1, kHeight}, b, scale, c + i * ldc, ldc);
  }
}

}  // namespace

template <class T>
void gemm_block(int64_t m, int64_t n, int64_t k, T alpha, const Strided<T>& a, const Strided<T>& b,
                T beta, T* c, int64_t ldc) {
  const bool columns = a.row == 1 && a.column >= kHeight && n > 2 * kTileColumns<T>;
  for (int64_t p = 0; p < k; p += kDepth) {
    const int64_t depth = least(kDepth, k - p);
    const Strided<T> ap{a.data + p * a.column, a.row, a.column};
    const Strided<T> bp{b.data + p * b.row, b.row, b.column};
    const Scale<T> scale{alpha, p == 0 ? beta : T(1)};
    if (columns)
      block_of_columns(m, n, depth, ap, bp, scale, c, ldc);
    else
      block(m, n, depth, ap, bp, scale, c, ldc);
  }
}

template void gemm_block(int64_t, int64_t, int64_t, float, const Strided<float>&,
                         const Strided<float>&, float, float*, int64_t);
template void gemm_block(int64_t, int64_t, int64_t, double, const Strided<double>&,
                         const Strided<double>&, double, double*, int64_t);

}  // namespace weft::kernels::WEFT_ISA
