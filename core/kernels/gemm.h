// Matrix products on one thread: C = alpha A B + beta C, any strides of A and B, rows of C
// contiguous.
//
// Every element of C is a sum over k in blocks of one depth, each in the order of k, whatever the
// size of the product and wherever it is cut: m and n may be cut anywhere without changing a bit.
// Both ways of multiplying give the same bits.
#pragma once

#include <weft/core/kernels/kernel.h>

#include <cstdint>

namespace weft::kernels {

/// A matrix in memory: element (i, j) stands at data[i row + j column].
template <class T>
struct Strided {
  const T* data;
  int64_t row, column;
};

/// Columns are packed by multiples of this many.
inline constexpr int64_t kPackedColumns = 64;

/// B [k, n], packed for many products by the same: k packed_columns(n) elements.
template <class T>
struct PackedMatrix {
  T* data;
  int64_t k, n;
};

/// Two neighbours in k of a matrix in bfloat16, the first in the low half.
using Bf16Pair = uint32_t;

static inline int64_t packed_columns(int64_t n) {
  return (n + kPackedColumns - 1) / kPackedColumns * kPackedColumns;
}

/// C [m, n], with rows ldc apart. beta = 0 never reads C. T: float or double.
WEFT_KERNEL(void, gemm_block, int64_t m, int64_t n, int64_t k, T alpha, const Strided<T>& a,
            const Strided<T>& b, T beta, T* c, int64_t ldc)

/// Packs columns [begin, end) of b; `begin` is a multiple of kPackedColumns, `end` too unless
/// it is n.
WEFT_KERNEL(void, pack_columns, const Strided<T>& b, int64_t begin, int64_t end,
            PackedMatrix<T> out)

/// Columns [begin, end) of C [m, n], with rows ldc apart; `begin` as above. For products too
/// large for the caches near by.
WEFT_KERNEL(void, gemm_packed, int64_t m, int64_t begin, int64_t end, T alpha, const Strided<T>& a,
            PackedMatrix<T> b, T beta, T* c, int64_t ldc)

}  // namespace weft::kernels
