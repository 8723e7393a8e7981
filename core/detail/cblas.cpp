#include <weft/core/detail/cblas.h>

#include <cblas.h>

// Present in OpenBLAS only; null with any other BLAS.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int);

namespace weft {
namespace {

void use_one_thread() {
  // For each calling thread: OpenBLAS's OpenMP build keeps its count per thread.
  thread_local const bool done = [] {
    if (openblas_set_num_threads) openblas_set_num_threads(1);
    return true;
  }();
  (void)done;
}

CBLAS_TRANSPOSE trans(bool t) { return t ? CblasTrans : CblasNoTrans; }
int narrow(int64_t v) { return static_cast<int>(v); }

}  // namespace

template <>
void blas_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
               int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  use_one_thread();
  cblas_sgemm(CblasRowMajor, trans(ta), trans(tb), narrow(m), narrow(n), narrow(k), alpha, a,
              narrow(lda), b, narrow(ldb), beta, c, narrow(ldc));
}

template <>
void blas_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const double* a,
               int64_t lda, const double* b, int64_t ldb, double beta, double* c, int64_t ldc) {
  use_one_thread();
  cblas_dgemm(CblasRowMajor, trans(ta), trans(tb), narrow(m), narrow(n), narrow(k), alpha, a,
              narrow(lda), b, narrow(ldb), beta, c, narrow(ldc));
}

}  // namespace weft
