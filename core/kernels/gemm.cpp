// A product of any size on one thread, by blocks of k: with A in place and one sliver of B packed
// at a time; or with B packed before, a panel of it and packed rows of A in L2, of which one tile's
// sliver or rows stay in L1.
#include <weft/core/kernels/gemm_tiles.h>

namespace weft::kernels::WEFT_ISA {
namespace {

constexpr int64_t kDepth = 256;
constexpr int64_t kHeight = 96;   // rows of A packed at a time
constexpr int64_t kFewRows = 64;  // of A: too few to make packing B pay

/// Columns of a panel of B: 512 KiB of them.
template <class T>
constexpr int64_t kBroad = (512 << 10) / (kDepth * static_cast<int64_t>(sizeof(T)));

template <class T>
Strided<T> part_of(const Strided<T>& x, int64_t i, int64_t j) {
  return {x.data + i * x.row + j * x.column, x.row, x.column};
}

/// Where the panel of b that starts at row p and column j stands.
template <class T>
T* panel_at(const PackedMatrix<T>& b, int64_t p, int64_t j) {
  return b.data + p * packed_columns(b.n) + j * least(kDepth, b.k - p);
}

/// C += for one block of depth: a [m, depth], b [depth, n].
template <class T>
void block(int64_t m, int64_t n, int64_t depth, const Strided<T>& a, const Strided<T>& b,
           Scale<T> scale, T* c, int64_t ldc) {
  constexpr int64_t kWidth = kTileColumns<T>;
  alignas(kVectorBytes) T packed[kDepth * kWidth];
  for (int64_t j = 0; j < n; j += kWidth) {
    const int64_t width = least(kWidth, n - j);
    const Panel<T> panel = m <= kFewRows ? borrow_panel(depth, width, part_of(b, 0, j), packed)
                                         : pack_panel(depth, width, part_of(b, 0, j), packed);
    multiply(m, width, depth, a, panel, scale, c + j, ldc);
  }
}

/// The same for one panel of a packed B.
template <class T>
void packed_block(int64_t m, int64_t n, int64_t depth, const Strided<T>& a, const Panel<T>& b,
                  Scale<T> scale, T* c, int64_t ldc) {
  alignas(kVectorBytes) T rows[kDepth * kHeight];
  for (int64_t i = 0; i < m; i += kHeight) {
    const int64_t height = least(kHeight, m - i);
    pack_rows(height, depth, from_row(a, i), rows);
    const int64_t step = kSliverStays<T> ? height : kTileRows;
    for (int64_t r = 0; r < height; r += step)
      multiply(least(step, height - r), n, depth, from_row(RowPanels<T>{rows, depth}, r), b, scale,
               c + (i + r) * ldc, ldc);
  }
}

}  // namespace

template <class T>
void gemm_block(int64_t m, int64_t n, int64_t k, T alpha, const Strided<T>& a, const Strided<T>& b,
                T beta, T* c, int64_t ldc) {
  for (int64_t p = 0; p < k; p += kDepth)
    block(m, n, least(kDepth, k - p), part_of(a, 0, p), part_of(b, p, 0),
          Scale<T>{alpha, p == 0 ? beta : T(1)}, c, ldc);
}

template <class T>
void pack_columns(const Strided<T>& b, int64_t begin, int64_t end, PackedMatrix<T> out) {
  for (int64_t p = 0; p < out.k; p += kDepth)
    pack_panel(least(kDepth, out.k - p), end - begin, part_of(b, p, begin),
               panel_at(out, p, begin));
}

template <class T>
void gemm_packed(int64_t m, int64_t begin, int64_t end, T alpha, const Strided<T>& a,
                 PackedMatrix<T> b, T beta, T* c, int64_t ldc) {
  for (int64_t p = 0; p < b.k; p += kDepth) {
    const int64_t depth = least(kDepth, b.k - p);
    const Scale<T> scale{alpha, p == 0 ? beta : T(1)};
    for (int64_t j = begin; j < end; j += kBroad<T>) {
      const Panel<T> panel{panel_at(b, p, j), kTileColumns<T>, kTileColumns<T> * depth};
      packed_block(m, least(kBroad<T>, end - j), depth, part_of(a, 0, p), panel, scale, c + j, ldc);
    }
  }
}

WEFT_INSTANTIATE(gemm_block, float, double)
WEFT_INSTANTIATE(pack_columns, float, double)
WEFT_INSTANTIATE(gemm_packed, float, double)

}  // namespace weft::kernels::WEFT_ISA
