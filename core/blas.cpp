// Matrix products through CBLAS, each call on one thread.
#include <weft/core/blas.h>
#include <weft/core/check.h>
#include <weft/core/parallel.h>

#include <cblas.h>

#include <algorithm>
#include <limits>

// Present in OpenBLAS only; null with any other BLAS.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int);

namespace weft {
namespace {

constexpr int64_t kRows = 48;   // a multiple of every row blocking of OpenBLAS's kernels
constexpr double kWork = 64e3;  // multiply-adds worth a thread's wake-up

void use_one_thread() {
  // Set for every calling thread: OpenBLAS's OpenMP build keeps its count per thread.
  thread_local const bool done = [] {
    if (openblas_set_num_threads) openblas_set_num_threads(1);
    return true;
  }();
  (void)done;
}

CBLAS_TRANSPOSE trans(bool t) { return t ? CblasTrans : CblasNoTrans; }
int narrow(int64_t v) { return static_cast<int>(v); }

void call_blas(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
               int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  cblas_sgemm(CblasRowMajor, trans(ta), trans(tb), narrow(m), narrow(n), narrow(k), alpha, a,
              narrow(lda), b, narrow(ldb), beta, c, narrow(ldc));
}

void call_blas(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double* a,
               int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc) {
  cblas_dgemm(CblasRowMajor, trans(ta), trans(tb), narrow(m), narrow(n), narrow(k), alpha, a,
              narrow(lda), b, narrow(ldb), beta, c, narrow(ldc));
}

void check_sizes(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc) {
  const int64_t limit = std::numeric_limits<int>::max();
  check(std::max({m, n, k, lda, ldb, ldc}) <= limit,
        "gemm: sizes must be below 2^31; got m {}, n {}, k {}, row strides {}, {}, {}", m, n, k,
        lda, ldb, ldc);
}

/// One product on this thread, k = 0 included.
template <class T>
void product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
             const T* b, int64_t ldb, T beta, T* c, int64_t ldc) {
  if (k > 0) {
    use_one_thread();
    call_blas(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    return;
  }
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
}

}  // namespace

template <class T>
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc, RowEpilogue done) {
  if (m == 0 || n == 0) return;
  check_sizes(m, n, k, lda, ldb, ldc);
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  parallel_for(m, work < kWork ? m : kRows, [&](int64_t begin, int64_t end) {
    product(ta, tb, end - begin, n, k, alpha, a + begin * (ta ? 1 : lda), lda, b, ldb, beta,
            c + begin * ldc, ldc);
    if (done) done(begin, end);
  });
}

template <class T>
void gemm_batched(bool ta, bool tb, int64_t outer, int64_t inner, int64_t m, int64_t n, int64_t k,
                  T alpha, const T* a, int64_t lda, BatchStride stride_a, const T* b, int64_t ldb,
                  BatchStride stride_b, T beta, T* c, int64_t ldc, BatchStride stride_c) {
  if (m == 0 || n == 0) return;
  check_sizes(m, n, k, lda, ldb, ldc);
  const double work = static_cast<double>(m) * static_cast<double>(n) *
                      static_cast<double>(std::max<int64_t>(k, 1));
  const auto grain = static_cast<int64_t>(std::max(1.0, kWork / work));
  parallel_for(outer * inner, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t o = r / inner, i = r % inner;
      product(ta, tb, m, n, k, alpha, a + o * stride_a.outer + i * stride_a.inner, lda,
              b + o * stride_b.outer + i * stride_b.inner, ldb, beta,
              c + o * stride_c.outer + i * stride_c.inner, ldc);
    }
  });
}

#define WEFT_INSTANTIATE(T)                                                                        \
  template void gemm(bool, bool, int64_t, int64_t, int64_t, T, const T*, int64_t, const T*,        \
                     int64_t, T, T*, int64_t, RowEpilogue);                                        \
  template void gemm_batched(bool, bool, int64_t, int64_t, int64_t, int64_t, int64_t, T, const T*, \
                             int64_t, BatchStride, const T*, int64_t, BatchStride, T, T*, int64_t, \
                             BatchStride);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)

}  // namespace weft
