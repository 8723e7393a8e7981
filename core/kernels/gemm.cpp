// A product of any size on one thread: blocks of k, in each a panel of B packed to stay in L2, and
// past it the rows of A, a tile's packed to stay in L1.
#include <weft/core/kernels/gemm_tiles.h>

namespace weft::kernels::WEFT_ISA {
namespace {

constexpr int64_t kDepth = 256;
constexpr int64_t kHeight = 8 * kTileRows;  // rows of A packed at a time
constexpr int64_t kFewRows = 64;            // of A: too few to make packing B pay
constexpr int64_t kFarColumns = 512;        // of A in memory: each in another page or almost
constexpr int64_t kSmallResult = int64_t{1} << 17;

/// Columns of a panel of B: 512 KiB of them.
template <class T>
constexpr int64_t kBroad = 16 * kTileColumns<T>;

/// Whether packing A would cost more than it gains.
template <class T>
bool in_place(int64_t m, int64_t n, const Strided<T>& a) {
  if (m <= kFewRows) return true;
  if (a.row == 1 && a.column >= kFarColumns)
    return n <= kTileColumns<T> || m * n <= kSmallResult / 4;
  return n <= 4 * kTileColumns<T> || m * n <= kSmallResult;
}

/// C += for one block of depth, A in place: a [m, depth], b [depth, n].
template <class T>
void block_in_place(int64_t m, int64_t n, int64_t depth, const Strided<T>& a, const Strided<T>& b,
                    Scale<T> scale, T* c, int64_t ldc) {
  constexpr int64_t kWidth = kTileColumns<T>;
  alignas(kVectorBytes) T packed[kDepth * kWidth];
  for (int64_t j = 0; j < n; j += kWidth) {
    const int64_t width = least(kWidth, n - j);
    const Strided<T> part{b.data + j * b.column, b.row, b.column};
    const Panel<T> panel = m <= kFewRows ? borrow_panel(depth, width, part, packed)
                                         : pack_panel(depth, width, part, packed);
    multiply(m, width, depth, a, panel, scale, c + j, ldc);
  }
}

/// The same with A and B packed.
template <class T>
void block(int64_t m, int64_t n, int64_t depth, const Strided<T>& a, const Strided<T>& b,
           Scale<T> scale, T* c, int64_t ldc) {
  alignas(kVectorBytes) T columns[kDepth * kBroad<T>], rows[kDepth * kHeight];
  for (int64_t j = 0; j < n; j += kBroad<T>) {
    const int64_t width = least(kBroad<T>, n - j);
    const Strided<T> part{b.data + j * b.column, b.row, b.column};
    const Panel<T> panel = pack_panel(depth, width, part, columns);
    for (int64_t i = 0; i < m; i += kHeight) {
      const int64_t height = least(kHeight, m - i);
      pack_rows(height, depth, from_row(a, i), rows);
      for (int64_t r = 0; r < height; r += kTileRows)
        multiply(least(kTileRows, height - r), width, depth, from_row(RowPanels<T>{rows, depth}, r),
                 panel, scale, c + (i + r) * ldc + j, ldc);
    }
  }
}

}  // namespace

template <class T>
void gemm_block(int64_t m, int64_t n, int64_t k, T alpha, const Strided<T>& a, const Strided<T>& b,
                T beta, T* c, int64_t ldc) {
  const bool near = in_place(m, n, a);
  for (int64_t p = 0; p < k; p += kDepth) {
    const int64_t depth = least(kDepth, k - p);
    const Strided<T> ap{a.data + p * a.column, a.row, a.column};
    const Strided<T> bp{b.data + p * b.row, b.row, b.column};
    const Scale<T> scale{alpha, p == 0 ? beta : T(1)};
    if (near)
      block_in_place(m, n, depth, ap, bp, scale, c, ldc);
    else
      block(m, n, depth, ap, bp, scale, c, ldc);
  }
}

template void gemm_block(int64_t, int64_t, int64_t, float, const Strided<float>&,
                         const Strided<float>&, float, float*, int64_t);
template void gemm_block(int64_t, int64_t, int64_t, double, const Strided<double>&,
                         const Strided<double>&, double, double*, int64_t);

}  // namespace weft::kernels::WEFT_ISA
