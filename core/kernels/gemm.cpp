// A product of any size on one thread: blocks of k, each a column of tiles at a time with its
// sliver of B packed.
#include <weft/core/kernels/gemm_tiles.h>

namespace weft::kernels::WEFT_ISA {
namespace {

constexpr int64_t kDepth = 256;   // a sliver of B stays in L1
constexpr int64_t kHeight = 192;  // a block of A stays in L2
constexpr int64_t kFewRows = 64;  // of A: too few to make packing B pay

/// C += for one block of depth: a [m, depth], b [depth, n].
template <class T>
void block(int64_t m, int64_t n, int64_t depth, const Strided<T>& a, const Strided<T>& b,
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
