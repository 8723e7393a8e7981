// The inner parts of matrix products: C = alpha A B + beta C as rank-1 updates of small tiles of C
// that stay in registers. For files compiled per instruction set: all of it has internal linkage.
// Elements are float, double or, as two of k at a time, Bf16Pair.
#pragma once

#include <weft/core/kernels/gemm.h>
#include <weft/core/kernels/math.h>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace weft::kernels::WEFT_ISA {
namespace {

#if defined(__AVX512F__)
inline constexpr int64_t kTileRows = 12;  // 24 accumulators of 32 registers
#else
inline constexpr int64_t kTileRows = 6;  // 12 of 16
#endif

/// Steps of k in a row without a jump, where A is packed: one of 6 rows is short, of 12 long
/// enough.
inline constexpr int kSteps = kTileRows == 6 ? 4 : 1;

/// Columns of a tile: two vectors.
template <class T>
inline constexpr int64_t kTileColumns = 2 * Lanes<T>::count;

/// Whether a sliver of B, 256 rows of a cache line or less, leaves room in an L1 of 32 KiB: then it
/// stays there while the rows of A stream past from L2. A wider one streams past a tile's rows.
template <class T>
inline constexpr bool kSliverStays = kTileColumns<T> * sizeof(T) <= 64;

template <class T>
struct SumOf {
  using type = T;
};
template <>
struct SumOf<Bf16Pair> {
  using type = float;
};
/// What products of T are summed in.
template <class T>
using Sum = typename SumOf<T>::type;

template <class T, class V>
WEFT_INLINE void add_product(V& sum, T a, const V& b) {
  sum += a * b;
}
#if defined(__AVX512BF16__)
WEFT_INLINE void add_product(Lanes<float>::type& sum, Bf16Pair a, const Lanes<Bf16Pair>::type& b) {
  const __m512i pairs = _mm512_set1_epi32(static_cast<int>(a));
  sum = _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(pairs), reinterpret_cast<__m512bh>(b));
}
#endif

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

/// The left operand of a product, packed: a tile's rows stand together, k of them after another.
template <class T>
struct RowPanels {
  const T* data;
  int64_t k;
  static constexpr int64_t row = 1, column = kTileRows;
};

/// A is packed when the product is too large for the caches near by: B and C are then prefetched.
template <class A>
inline constexpr bool kPacked = false;
template <class T>
inline constexpr bool kPacked<RowPanels<T>> = true;
inline constexpr int64_t kAhead = 8;  // rows of B

template <class T>
WEFT_INLINE Strided<T> from_row(const Strided<T>& a, int64_t i) {
  return {a.data + i * a.row, a.row, a.column};
}

template <class T>
WEFT_INLINE RowPanels<T> from_row(const RowPanels<T>& a, int64_t i) {
  return {a.data + i / kTileRows * kTileRows * a.k + i % kTileRows, a.k};
}

/// C [kRows, width] of one tile, width <= kVectors vectors; b holds rows of at least that length.
/// A: Strided or RowPanels.
template <int kRows, int kVectors, class T, class A>
void tile(int64_t k, const A& a, const T* b, int64_t step_b, Scale<Sum<T>> scale, Sum<T>* c,
          int64_t ldc, int64_t width) {
  using V = typename Lanes<Sum<T>>::type;
  constexpr int64_t kCount = Lanes<T>::count;
  V sum[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i)  // "= {}" would clear memory first, not registers
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sum[i][j] = V{};
#pragma GCC unroll 16
  for (int i = 0; i < kRows && kPacked<A>; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) __builtin_prefetch(c + i * ldc + j * kCount, 1);
  const T* ap = a.data;
  const auto add_products = [&]() WEFT_INLINE_LAMBDA {
    typename Lanes<T>::type row[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) row[j] = load(b + j * kCount);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) add_product(sum[i][j], ap[i * a.row], row[j]);
  };
  if constexpr (kPacked<A>) {
#pragma GCC unroll kSteps
    for (int64_t p = 0; p < k; ++p, ap += A::column, b += kTileColumns<T>) {
      if (!kSliverStays<T>) {
        __builtin_prefetch(b + kAhead * kTileColumns<T>);
        if (kVectors > 1) __builtin_prefetch(b + kAhead * kTileColumns<T> + kCount);
      }
      add_products();
    }
  } else {
    for (int64_t p = 0; p < k; ++p, ap += a.column, b += step_b) add_products();
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

template <int kRows, class T, class A>
WEFT_INLINE void tile_of(int64_t k, const A& a, const T* b, int64_t step_b, Scale<Sum<T>> scale,
                         Sum<T>* c, int64_t ldc, int64_t width) {
  if (width > Lanes<T>::count)
    tile<kRows, 2>(k, a, b, step_b, scale, c, ldc, width);
  else
    tile<kRows, 1>(k, a, b, step_b, scale, c, ldc, width);
}

/// A column of tiles: C [m, width].
template <class T, class A>
void tiles(int64_t m, int64_t k, const A& a, const T* b, int64_t step_b, Scale<Sum<T>> scale,
           Sum<T>* c, int64_t ldc, int64_t width) {
  int64_t i = 0;
  auto run = [&]<int kRows>() WEFT_INLINE_LAMBDA {
    for (; i + kRows <= m; i += kRows)
      tile_of<kRows>(k, from_row(a, i), b, step_b, scale, c + i * ldc, ldc, width);
  };
  run.template operator()<kTileRows>();
  if constexpr (kTileRows > 8) run.template operator()<8>();
  run.template operator()<4>();
  run.template operator()<2>();
  run.template operator()<1>();
}

/// low = (a0, b0, a1, b1) of every four elements, high = (a2, b2, a3, b3).
template <class V>
WEFT_INLINE void zip(const V& a, const V& b, V& low, V& high) {
  if constexpr (sizeof(V) / sizeof(a[0]) == 4) {
    low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  } else {
    low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
    high = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
  }
}

/// v = four elements of one row or, if there is room, four of another behind them.
template <class V, class T>
WEFT_INLINE void load_fours(const T* one, const T* other, V& v) {
  using Four [[gnu::vector_size(4 * sizeof(T))]] = T;
  Four first, second;
  __builtin_memcpy(&first, one, sizeof first);
  if constexpr (sizeof(V) == sizeof(Four)) {
    v = first;
  } else {
    __builtin_memcpy(&second, other, sizeof second);
    v = __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7);
  }
}

/// out[p, j] = b[j, p] for kRows (4, 6 or 8) rows of b [kRows, k]; rows of out are kStep apart. Six
/// are stored as eight, the last two of which the next overwrite: so the last of k go one by one.
template <int kRows, int64_t kStep, class T>
WEFT_INLINE void transpose(int64_t k, const T* b, int64_t step_b, T* out) {
  constexpr int kCount = kRows == 4 ? 4 : 8;
  using V [[gnu::vector_size(kCount * sizeof(T))]] = T;
  const int64_t whole = kRows == kCount ? k : k - 1;
  int64_t p = 0;
  for (; p + 4 <= whole; p += 4, out += 4 * kStep) {
    V row[4], even[2], odd[2], column[4];
    for (int j = 0; j < 4; ++j)
      load_fours(b + j * step_b + p, b + least(j + 4, kRows - 1) * step_b + p, row[j]);
    zip(row[0], row[2], even[0], even[1]);
    zip(row[1], row[3], odd[0], odd[1]);
    zip(even[0], odd[0], column[0], column[1]);
    zip(even[1], odd[1], column[2], column[3]);
    for (int j = 0; j < 4; ++j) __builtin_memcpy(out + j * kStep, &column[j], sizeof(V));
  }
  for (; p < k; ++p, out += kStep)
    for (int j = 0; j < kRows; ++j) out[j] = b[j * step_b + p];
}

/// out[p, j] = b[p, j] in rows of one tile's columns, zeros beyond `width` to the end of its
/// vector.
template <class T>
void pack(int64_t k, int64_t width, const Strided<T>& b, T* out) {
  constexpr int64_t kStep = kTileColumns<T>, kCount = Lanes<T>::count;
  const int64_t whole = width / kCount * kCount;
  if (b.column == 1) {
    for (int64_t p = 0; p < k; ++p) {
      const T* row = b.data + p * b.row;
      for (int64_t j = 0; j < whole; j += kCount) store(out + p * kStep + j, load(row + j));
      if (whole < width)
        store(out + p * kStep + whole, load_some(row + whole, width - whole, T(0)));
    }
    return;
  }
  for (int64_t p = 0; p < k && whole < width; ++p)
    store(out + p * kStep + whole, typename Lanes<T>::type{});
  int64_t j = 0;
  if (b.row == 1)
    for (; j + 8 <= width; j += 8) transpose<8, kStep>(k, b.data + j * b.column, b.column, out + j);
  for (; j < width; ++j)
    for (int64_t p = 0; p < k; ++p) out[p * kStep + j] = b.data[p * b.row + j * b.column];
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

inline constexpr int64_t kColumnsAhead = 16;  // of A, prefetched: hardware does not cross pages

/// out = a [m, k] as RowPanels.
template <class T>
void pack_rows(int64_t m, int64_t k, const Strided<T>& a, T* out) {
  const int64_t whole = a.row == 1 ? m / kTileRows * kTileRows : 0;
  for (int64_t p = 0; p < k; ++p) {  // all of a column at once: the next may be in another page
    const T* column = a.data + p * a.column;
    for (int64_t i = 0; i < whole; i += 64 / static_cast<int64_t>(sizeof(T)))
      __builtin_prefetch(column + kColumnsAhead * a.column + i);
    for (int64_t i = 0; i < whole; i += kTileRows)
      __builtin_memcpy(out + i * k + p * kTileRows, column + i, kTileRows * sizeof(T));
  }
  for (int64_t i = whole; i < m; i += kTileRows) {
    const int64_t rows = least(kTileRows, m - i);
    const T* from = a.data + i * a.row;
    T* to = out + i * k;
    int64_t r = 0;
    if (a.column == 1) {
      if constexpr (kTileRows == 6)
        for (; r + 6 <= rows; r += 6) transpose<6, kTileRows>(k, from, a.row, to);
      for (; r + 8 <= rows; r += 8) transpose<8, kTileRows>(k, from + r * a.row, a.row, to + r);
      for (; r + 4 <= rows; r += 4) transpose<4, kTileRows>(k, from + r * a.row, a.row, to + r);
    }
    for (; r < rows; ++r)
      for (int64_t p = 0; p < k; ++p) to[p * kTileRows + r] = from[r * a.row + p * a.column];
  }
}

/// C [m, n] = alpha A [m, k] B [k, n] + beta C, the sum over k in one go.
template <class T, class A>
void multiply(int64_t m, int64_t n, int64_t k, const A& a, const Panel<T>& b, Scale<Sum<T>> scale,
              Sum<T>* c, int64_t ldc) {
  constexpr int64_t kWidth = kTileColumns<T>;
  const T* sliver = b.data;
  for (int64_t j = 0; j < n; j += kWidth, sliver += b.sliver)
    tiles(m, k, a, sliver, b.step, scale, c + j, ldc, least(kWidth, n - j));
}

}  // namespace
}  // namespace weft::kernels::WEFT_ISA
