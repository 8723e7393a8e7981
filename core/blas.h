// Matrix products: C = alpha op(A) op(B) + beta C, row-major, float or double.
//
// The same bits at any number of threads: products are cut on a grid that depends on the shape
// alone. Everything below threads inside; called from within parallel_for it runs serially.
#pragma once

#include <weft/core/allocator.h>

#include <cstdint>
#include <optional>
#include <type_traits>

namespace weft {

/// How the operands of large products of float32 are rounded before they are multiplied.
enum class MatmulPrecision {
  float32,  ///< not at all
  bf16,     ///< to bfloat16, with 8 bits of significand; sums stay float32
};

/// For all threads, from the next product on (torch.set_float32_matmul_precision, whose "highest"
/// and "medium" these are). An element of a product is then off by at most (2^-8 + k 2^-24) sum |a|
/// |b|, about; everything that is no product stays float32. Small products, those of few rows and
/// those under IndependentRows are not rounded. Throws Error for bf16 where the CPU has no dot
/// product of bfloat16 (cpu_has_bf16()).
void set_float32_matmul_precision(MatmulPrecision precision);
MatmulPrecision float32_matmul_precision();

/// While one lives, products that this thread asks for give every row of C the same bits however
/// many rows there are: all go through our own kernels, where otherwise BLAS, which chooses its way
/// by the shape, would make the large ones (unless weft is built without: WEFT_PORTABLE). With
/// AVX-512 our kernels make them all anyway, with AVX2 those of float32 with three columns or
/// more; on older CPUs BLAS may be three times as fast.
class IndependentRows {
 public:
  IndependentRows();
  ~IndependentRows();
  IndependentRows(const IndependentRows&) = delete;
  IndependentRows& operator=(const IndependentRows&) = delete;

 private:
  bool before_;
};

/// A callable (row_begin, row_end), called once for each block of finished rows of C while they are
/// still in cache (to add a bias, say). Blocks may finish on different threads.
class RowEpilogue {
 public:
  RowEpilogue() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, RowEpilogue>)
      RowEpilogue(F&& f)  // refers to f, which must outlive the call it is passed to
      : context_(const_cast<void*>(static_cast<const void*>(&f))),
        call_([](void* context, int64_t begin, int64_t end) {
          (*static_cast<std::remove_reference_t<F>*>(context))(begin, end);
        }) {}

  explicit operator bool() const { return call_ != nullptr; }
  void operator()(int64_t begin, int64_t end) const { call_(context_, begin, end); }

 private:
  void* context_ = nullptr;
  void (*call_)(void*, int64_t, int64_t) = nullptr;
};

/// C [m, n] = alpha op(A) [m, k] op(B) [k, n] + beta C. With ta, A is stored [k, m]; with tb, B is
/// stored [n, k]; lda, ldb, ldc are row strides in elements. beta = 0 never reads C.
/// Throws Error when a size does not fit BLAS's 32-bit ints.
template <class T>
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc, RowEpilogue done = {});

/// op(B) [k, n] of several products by the same matrix, packed once where packing pays.
template <class T>
class RightOperand {
 public:
  /// For about `times` products of about `rows` rows each. Refers to b, [n, k] if tb, whose rows
  /// are ldb apart.
  RightOperand(bool tb, int64_t rows, int64_t n, int64_t k, const T* b, int64_t ldb,
               int64_t times = 1);

  /// C [m, n] = A [m, k] op(B); as gemm.
  void multiply(int64_t m, const T* a, int64_t lda, T* c, int64_t ldc, RowEpilogue done = {}) const;

 private:
  bool tb_;
  int64_t n_, k_;
  const T* b_;
  int64_t ldb_;
  bool bf16_ = false;
  std::optional<Scratch<T>> packed_;  // if bf16_, of pairs of bfloat16 instead of float
};

/// Steps in elements from one product of a batch [outer, inner] to the next; 0 broadcasts.
struct BatchStride {
  int64_t outer = 0, inner = 0;
};

/// gemm for every (o, i) in [outer, inner], at x + o * stride.outer + i * stride.inner: heads of a
/// packed projection [B, T, H * Dh] need no copy (outer T * H * Dh, inner Dh, row stride H * Dh).
/// Products must not overlap in C.
template <class T>
void gemm_batched(bool ta, bool tb, int64_t outer, int64_t inner, int64_t m, int64_t n, int64_t k,
                  T alpha, const T* a, int64_t lda, BatchStride stride_a, const T* b, int64_t ldb,
                  BatchStride stride_b, T beta, T* c, int64_t ldc, BatchStride stride_c);

}  // namespace weft
