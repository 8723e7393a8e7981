// Matrix products of operands rounded to bfloat16 (8 bits of significand), summed in float32: as
// gemm_packed() of gemm.h, which may be cut anywhere too without changing a bit. Subnormal numbers
// count as zero.
//
// By the dot product of AVX-512 BF16, which adds two products at a time. Call only where
// cpu_has_bf16().
#pragma once

#include <weft/core/kernels/gemm.h>

#if !defined(__x86_64__)
#include <weft/core/detail/check.h>
#endif

namespace weft::kernels::avx512_bf16 {

#if defined(__x86_64__)
/// Packs columns [begin, end) of b [k, n] into out [(k + 1) / 2, packed_columns(n)].
void pack_columns(const Strided<float>& b, int64_t begin, int64_t end, PackedMatrix<Bf16Pair> out);

void gemm_packed(int64_t m, int64_t begin, int64_t end, float alpha, const Strided<float>& a,
                 PackedMatrix<Bf16Pair> b, float beta, float* c, int64_t ldc);
#else
inline void pack_columns(const Strided<float>&, int64_t, int64_t, PackedMatrix<Bf16Pair>) {
  invariant(false, "bf16: this CPU has no such kernel");
}
inline void gemm_packed(int64_t, int64_t, int64_t, float, const Strided<float>&,
                        PackedMatrix<Bf16Pair>, float, float*, int64_t) {
  invariant(false, "bf16: this CPU has no such kernel");
}
#endif

}  // namespace weft::kernels::avx512_bf16
