// The products of a BLAS, where weft is built with one.
#pragma once

#include <cstdint>

namespace weft {

/// C [m, n] = alpha op(A) op(B) + beta C as gemm() of blas.h has it, on one thread; sizes must be
/// below 2^31. T: float or double.
template <class T>
void blas_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
               const T* b, int64_t ldb, T beta, T* c, int64_t ldc);

}  // namespace weft
