// The inner parts of matrix products: C = alpha A B + beta C as rank-1 updates of small tiles of C
// that stay in registers. For files compiled per instruction set: all of it has internal linkage.
#pragma once

#include <weft/core/kernels/gemm.h>
#include <weft/core/kernels/math.h>

namespace weft::kernels::WEFT_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int64_t kTileRows = 12;  // 24 accumulators of 32 registers
#else
constexpr int64_t kTileRows = 6;  // 12 of 16
#endif

/// Columns of a tile: two vectors.
template <class T>
constexpr int64_t kTileColumns = 2 * Lanes<T>::count;

WEFT_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

template <class T>
WEFT_INLINE void store(T* y, typename Lanes<T>::type v) {
  __builtin_memcpy(y, &v, sizeof v);
}

/// What becomes of a sum of products on its way into C.
template <class T>
struct Scale {
  T alpha, beta;

  WEFT_INLINE_LAMBDA void store_all(typename Lanes<T>::type sum, T* c) const {
    store(c, beta == T(0) ? alpha * sum : alpha * sum + beta * load(c));
  }
  /// The first `width` elements, which may be more or fewer than a vector's.
  WEFT_INLINE_LAMBDA void store_some(typename Lanes<T>::type sum, T* c, int64_t width) const {
    alignas(kVectorBytes) T value[Lanes<T>::count];
    store(value, alpha * sum);
    if (beta == T(0)) {
#pragma omp simd
      for (int64_t j = 0; j < Lanes<T>::count; ++j)
        if (j < width) c[j] = value[j];
    } else {
#pragma omp simd
      for (int64_t j = 0; j < Lanes<T>::count; ++j)
        if (j < width) c[j] = value[j] + beta * c[j];
    }
  }
};

/// C [kRows, width] of one tile, width <= kVectors vectors; b holds rows of at least that length.
template <int kRows, int kVectors, class T>
void tile(int64_t k, const Strided<T>& a, const T* b, int64_t step_b, Scale<T> scale, T* c,
          int64_t ldc, int64_t width) {
  using V = typename Lanes<T>::type;
  constexpr int64_t kCount = Lanes<T>::count;
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)  // "= {}" would clear memory first, not registers
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = V{};
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
      for (int j = 0; j < kVectors; ++j) scale.store_all(sum[i][j], c + i * ldc + j * kCount);
    return;
  }
  for (int i = 0; i < kRows; ++i)
    for (int j = 0; j < kVectors; ++j)
      scale.store_some(sum[i][j], c + i * ldc + j * kCount, width - j * kCount);
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
void tiles(int64_t m, int64_t k, const Strided<T>& a, const T* b, int64_t step_b, Scale<T> scale,
           T* c, int64_t ldc, int64_t width) {
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

/// Eight columns of out = eight rows of b [8, k]: squares of four by four, two at a time.
template <class T>
WEFT_INLINE void transpose(int64_t k, const T* b, int64_t step_b, T* out) {
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
  typedef T Eight __attribute__((vector_size(8 * sizeof(T))));
  constexpr int64_t kStep = kTileColumns<T>;
  int64_t p = 0;
  for (; p + 4 <= k; p += 4) {
    Eight row[4];
    for (int j = 0; j < 4; ++j) {
      Four left, right;
      __builtin_memcpy(&left, b + j * step_b + p, sizeof left);
      __builtin_memcpy(&right, b + (j + 4) * step_b + p, sizeof right);
      row[j] = __builtin_shufflevector(left, right, 0, 1, 2, 3, 4, 5, 6, 7);
    }
    const Eight low01 = __builtin_shufflevector(row[0], row[1], 0, 8, 1, 9, 4, 12, 5, 13);
    const Eight high01 = __builtin_shufflevector(row[0], row[1], 2, 10, 3, 11, 6, 14, 7, 15);
    const Eight low23 = __builtin_shufflevector(row[2], row[3], 0, 8, 1, 9, 4, 12, 5, 13);
    const Eight high23 = __builtin_shufflevector(row[2], row[3], 2, 10, 3, 11, 6, 14, 7, 15);
    row[0] = __builtin_shufflevector(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
    row[1] = __builtin_shufflevector(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
    row[2] = __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
    row[3] = __builtin_shufflevector(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
    for (int j = 0; j < 4; ++j) __builtin_memcpy(out + (p + j) * kStep, &row[j], sizeof(Eight));
  }
  for (; p < k; ++p)
    for (int j = 0; j < 8; ++j) out[p * kStep + j] = b[j * step_b + p];
}

/// out[p, j] = b[p, j] in rows of one tile's columns, zeros beyond `width` to the end of its
/// vector.
template <class T>
void pack(int64_t k, int64_t width, const Strided<T>& b, T* out) {
  constexpr int64_t kStep = kTileColumns<T>;
  if (b.column == 1 && width == kStep) {
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = 0; j < kStep; ++j) out[p * kStep + j] = b.data[p * b.row + j];
    return;
  }
  const int64_t padded = width > Lanes<T>::count ? kStep : Lanes<T>::count;
  int64_t j = 0;
  if (b.row == 1)
    for (; j + 8 <= width; j += 8) transpose(k, b.data + j * b.column, b.column, out + j);
  for (int64_t p = 0; p < k; ++p) {
    for (int64_t l = j; l < width; ++l) out[p * kStep + l] = b.data[p * b.row + l * b.column];
    for (int64_t l = width; l < padded; ++l) out[p * kStep + l] = T(0);
  }
}

/// The right operand of a product, ready for tiles: slivers of kTileColumns columns, `sliver`
/// elements apart, whose rows are `step` apart.
template <class T>
struct Panel {
  const T* data;
  int64_t step, sliver;
};

/// Elements that pack_panel writes.
template <class T>
constexpr int64_t panel_size(int64_t k, int64_t n) {
  return (n + kTileColumns<T> - 1) / kTileColumns<T> * kTileColumns<T> * k;
}

template <class T>
Panel<T> pack_panel(int64_t k, int64_t n, const Strided<T>& b, T* out) {
  constexpr int64_t kWidth = kTileColumns<T>;
  for (int64_t j = 0; j < n; j += kWidth)
    pack(k, least(kWidth, n - j), Strided<T>{b.data + j * b.column, b.row, b.column}, out + j * k);
  return {out, kWidth, k * kWidth};
}

/// A panel that is used once: in place where the rows of b are whole vectors, else packed to out.
template <class T>
Panel<T> borrow_panel(int64_t k, int64_t n, const Strided<T>& b, T* out) {
  if (b.column == 1 && n % Lanes<T>::count == 0) return {b.data, b.row, kTileColumns<T>};
  return pack_panel(k, n, b, out);
}

/// C [m, n] = alpha A [m, k] B [k, n] + beta C, the sum over k in one go.
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const Strided<T>& a, const Panel<T>& b,
              Scale<T> scale, T* c, int64_t ldc) {
  constexpr int64_t kWidth = kTileColumns<T>;
  const T* sliver = b.data;
  for (int64_t j = 0; j < n; j += kWidth, sliver += b.sliver)
    tiles(m, k, a, sliver, b.step, scale, c + j, ldc, least(kWidth, n - j));
}

}  // namespace
}  // namespace weft::kernels::WEFT_ISA
