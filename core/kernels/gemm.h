// Matrix products on one thread: C = alpha A B + beta C, any strides of A and B, rows of C
// contiguous.
//
// Every element of C is a sum over k in blocks of one depth, each in the order of k, whatever the
// size of the product and wherever it is cut: m and n may be cut anywhere without changing a bit.
#pragma once

#include <weft/core/cpu.h>

#include <cstdint>

namespace weft::kernels {

/// A matrix in memory: element (i, j) stands at data[i row + j column].
template <class T>
struct Strided {
  const T* data;
  int64_t row, column;
};

WEFT_KERNELS(
    /// C [m, n], with rows ldc apart. beta = 0 never reads C. T: float or double.
    template <class T> void gemm_block(int64_t m, int64_t n, int64_t k, T alpha,
                                       const Strided<T>& a, const Strided<T>& b, T beta, T* c,
                                       int64_t ldc);)
WEFT_DISPATCH(gemm_block)

}  // namespace weft::kernels
