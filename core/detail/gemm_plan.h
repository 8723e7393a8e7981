// How a matrix product is computed: by which kernel, and what the threads share out. A plan is a
// function of shape and instruction set alone, the same at any number of threads.
//
// Our kernels give the same bits however a product is cut, so each thread takes one piece. Of BLAS
// we know no such thing: there a product is cut into parts whose bounds the plan gives, and each
// part is one call, whichever thread makes it.
#pragma once

#include <weft/core/cpu.h>

#include <cstdint>

namespace weft {

/// `batch` products C [m, n] = op(A) [m, k] op(B) [k, n], all sizes at least 1 but k.
struct GemmShape {
  int64_t m, n, k;
  bool ta = false;        ///< A is stored [k, m]
  int64_t lda = 0;        ///< from one row of what is stored to the next
  bool epilogue = false;  ///< something is to be done with finished rows while they are in cache
  int64_t batch = 1;
  bool float64 = false;
};

enum class GemmWay {
  scale,     ///< no product: C = beta C
  in_place,  ///< our kernel, which reads B where it stands
  packed,    ///< our kernel, from a B that is packed first
  blas,
};

/// Why that way.
enum class GemmReason {
  no_depth,       ///< k is 0
  few_rows,       ///< in place: packing B would not be paid back by so few rows of A
  few_columns,    ///< in place: A is read often enough already
  small_result,   ///< in place: all of it stays in near caches
  large,          ///< packed, as none of the above
  packed_before,  ///< packed, for several products by the same B
  /// above the size where BLAS's overhead counts: on the baseline; with AVX2 for float64, and for a
  /// B of one or two columns, which leave the other lanes of our tiles idle
  blas_is_faster,
};

enum class GemmCut { rows, columns, products };

struct GemmPlan {
  GemmWay way;
  GemmReason reason;
  /// What threads share out. Where it is not `products`, those of a batch come one after another.
  GemmCut cut;
  int64_t grain;  ///< parts are multiples of so many rows, columns or products
  int64_t parts;  ///< so many parts with bounds of their own; 0: as it suits the threads
  int64_t step;   ///< rows or columns of a part that are computed at a time

  bool operator==(const GemmPlan&) const = default;
};

/// `only_ours`: not by BLAS, because every row of C is to have the same bits however many rows
/// there are, or because there is none.
GemmPlan plan_gemm(const GemmShape& shape, Isa isa, bool only_ours);

/// The plan of one product by a B that is packed already.
GemmPlan plan_packed_gemm(const GemmShape& shape);

/// Whether a product is large enough to gain by operands that are rounded to bfloat16 as they are
/// packed; plan_packed_gemm() is its plan then.
bool gains_by_bf16(const GemmShape& shape);

/// Whether to pack the B of `times` products of this shape before them.
bool packs_for_several(const GemmShape& shape, int64_t times, Isa isa, bool only_ours);

/// Columns of a B [k, n] that one thread packs at least.
int64_t packing_grain(int64_t n, int64_t k);

}  // namespace weft
