// Matrix products: through our own kernel where it is the faster one, else through CBLAS, each call
// on one thread.
//
// Our kernels give the same bits however a product is cut, so each thread takes one piece. Of BLAS
// we know no such thing: there a product is cut into cells that depend on its shape alone, and each
// cell is one call, whichever thread makes it.
#include <weft/core/allocator.h>
#include <weft/core/blas.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/gemm.h>
#include <weft/core/parallel.h>

#include <cblas.h>

#include <algorithm>
#include <limits>
#include <utility>

// Present in OpenBLAS only; null with any other BLAS.
extern "C" __attribute__((weak)) void openblas_set_num_threads(int);

namespace weft {
namespace {

constexpr double kWork = 500e3;          // multiply-adds worth a thread's wake-up
constexpr double kSmallProduct = 250e3;  // below, BLAS's overhead counts
constexpr int64_t kTileRows = 12;        // rows are cut at multiples, for our kernels
constexpr int64_t kUnit = 24;            // and for BLAS
constexpr int64_t kColumnUnit = 64;      // columns too: whole tiles and cache lines
constexpr int64_t kManyColumns = 256;
constexpr int64_t kCells = 8;
constexpr int64_t kHotRows = 256;
constexpr int64_t kNarrow = 128;                    // columns of a B that packing does not pay for
constexpr int64_t kSmallResult = int64_t{1} << 17;  // elements of a C that it does not pay for
constexpr int64_t kSmallOperand = int64_t{1} << 16;
constexpr int64_t kFewRows = 64;
constexpr int64_t kFarColumns = 512;  // row stride of A from which rows lie on different pages

thread_local bool t_independent_rows = false;

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

double multiply_adds(int64_t m, int64_t n, int64_t k) {
  return static_cast<double>(m) * static_cast<double>(n) *
         static_cast<double>(std::max<int64_t>(k, 1));
}

template <class T>
struct Product {
  bool ta, tb;
  int64_t m, n, k;
  T alpha;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T beta;
  T* c;
  int64_t ldc;

  double work() const { return multiply_adds(m, n, k); }
  /// Asked on the thread that the product was asked for on.
  bool ours() const {
    return kCpuIsa == Isa::avx512 || t_independent_rows || work() < kSmallProduct;
  }
  /// Whether packing would cost our kernel more than it gains.
  bool near() const {
    if (m <= kFewRows) return true;
    if (ta && lda >= kFarColumns) return n <= kNarrow / 4 || m * n <= kSmallResult / 4;
    return n <= kNarrow || m * n <= kSmallResult;
  }

  kernels::Strided<T> left() const { return {a, ta ? 1 : lda, ta ? lda : 1}; }
  kernels::Strided<T> right() const { return {b, tb ? 1 : ldb, tb ? ldb : 1}; }

  Product rows(int64_t begin, int64_t end) const {
    Product p = *this;
    p.m = end - begin;
    p.a += begin * (ta ? 1 : lda);
    p.c += begin * ldc;
    return p;
  }
  Product columns(int64_t begin, int64_t end) const {
    Product p = *this;
    p.n = end - begin;
    p.b += begin * (tb ? ldb : 1);
    p.c += begin;
    return p;
  }

  /// Runs on this thread; `own` says by which kernel.
  void run(bool own) const {
    if (k == 0) return scale();
    const FlushSubnormals flush;
    if (own) return kernels::gemm_block(m, n, k, alpha, left(), right(), beta, c, ldc);
    use_one_thread();
    call_blas(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
  }

  void scale() const {
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == T(0) ? T(0) : beta * c[i * ldc + j];
  }
};

/// Calls piece(begin, end) for pieces of [0, size) that may be any multiples of `unit`.
template <class F>
void parallel_in_units(int64_t size, int64_t unit, double work, F piece) {
  const double per_unit = work / static_cast<double>(size) * static_cast<double>(unit);
  const auto units = static_cast<int64_t>(std::clamp(kWork / per_unit, 1.0, 1e9));
  parallel_for(size, units * unit, piece);
}

/// Calls piece(begin, end) for cells of [0, size) that depend on size and work alone.
template <class F>
void cut_into_cells(int64_t size, double work, F piece) {
  const int64_t units = (size + kUnit - 1) / kUnit;
  const auto cells = static_cast<int64_t>(
      std::clamp(work / kWork, 1.0, static_cast<double>(std::min(kCells, units))));
  parallel_for(cells, 1, [&](int64_t begin, int64_t end) {
    for (int64_t cell = begin; cell < end; ++cell)
      piece(units * cell / cells * kUnit, std::min(size, units * (cell + 1) / cells * kUnit));
  });
}

/// Calls piece(begin, end) for all rows; after each `done`, if there is one, for rows that are hot.
template <class F>
void cut_rows(int64_t m, double work, RowEpilogue done, F piece) {
  parallel_in_units(m, kTileRows, work, [&](int64_t begin, int64_t end) {
    const int64_t step = done ? kHotRows : m;
    for (int64_t i = begin; i < end; i += step) {
      const int64_t past = std::min(end, i + step);
      piece(i, past);
      if (done) done(i, past);
    }
  });
}

template <class T>
void run_near(const Product<T>& p, RowEpilogue done) {
  // A thread packs its own part of B.
  if (!p.ta && p.n >= kManyColumns && !done)
    return parallel_in_units(p.n, kColumnUnit, p.work(),
                             [&](int64_t begin, int64_t end) { p.columns(begin, end).run(true); });
  cut_rows(p.m, p.work(), done, [&](int64_t begin, int64_t end) { p.rows(begin, end).run(true); });
}

/// The right operand of p, packed into `room` by all threads.
template <class T>
kernels::PackedMatrix<T> pack_right(const Product<T>& p, T* room) {
  constexpr double kWorkOfOne = 16;  // multiply-adds that packing an element is worth
  const kernels::PackedMatrix<T> packed{room, p.k, p.n};
  parallel_in_units(
      p.n, kernels::kPackedColumns, kWorkOfOne * multiply_adds(1, p.n, p.k),
      [&](int64_t begin, int64_t end) { kernels::pack_columns(p.right(), begin, end, packed); });
  return packed;
}

template <class T>
void run_packed(const Product<T>& p, const kernels::PackedMatrix<T>& b, RowEpilogue done) {
  if (p.n > p.m && !done)
    return parallel_in_units(
        p.n, kernels::kPackedColumns, p.work(), [&](int64_t begin, int64_t end) {
          const FlushSubnormals flush;
          kernels::gemm_packed(p.m, begin, end, p.alpha, p.left(), b, p.beta, p.c, p.ldc);
        });
  cut_rows(p.m, p.work(), done, [&](int64_t begin, int64_t end) {
    const Product<T> part = p.rows(begin, end);
    const FlushSubnormals flush;
    kernels::gemm_packed(part.m, int64_t{0}, p.n, p.alpha, part.left(), b, p.beta, part.c, p.ldc);
  });
}

template <class T>
void run_blas(const Product<T>& p, RowEpilogue done) {
  if (p.n > p.m && !done)
    return cut_into_cells(p.n, p.work(),
                          [&](int64_t begin, int64_t end) { p.columns(begin, end).run(false); });
  cut_into_cells(p.m, p.work(), [&](int64_t begin, int64_t end) {
    p.rows(begin, end).run(false);
    if (done) done(begin, end);
  });
}

/// On all threads.
template <class T>
void run(const Product<T>& p, RowEpilogue done) {
  if (!p.ours()) return run_blas(p, done);
  if (p.k == 0 || p.near()) return run_near(p, done);
  const Scratch<T> room(p.k * kernels::packed_columns(p.n));
  run_packed(p, pack_right(p, room.data()), done);
}

}  // namespace

IndependentRows::IndependentRows() : before_(std::exchange(t_independent_rows, true)) {}
IndependentRows::~IndependentRows() { t_independent_rows = before_; }

template <class T>
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc, RowEpilogue done) {
  if (m == 0 || n == 0) return;
  check_sizes(m, n, k, lda, ldb, ldc);
  run(Product<T>{ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc}, done);
}

template <class T>
RightOperand<T>::RightOperand(bool tb, int64_t rows, int64_t n, int64_t k, const T* b, int64_t ldb)
    : tb_(tb), n_(n), k_(k), b_(b), ldb_(ldb) {
  const Product<T> p{false, tb, rows, n, k, T(1), nullptr, k, b, ldb, T(0), nullptr, n};
  const bool narrow = n < kernels::kPackedColumns;  // most of what was packed would be padding
  if (!p.ours() || narrow || rows <= kFewRows || k * n < kSmallOperand) return;
  check_sizes(rows, n, k, k, ldb, n);
  pack_right(p, packed_.emplace(k * kernels::packed_columns(n)).data());
}

template <class T>
void RightOperand<T>::multiply(int64_t m, const T* a, int64_t lda, T* c, int64_t ldc,
                               RowEpilogue done) const {
  if (!packed_ || m == 0)
    return gemm(false, tb_, m, n_, k_, T(1), a, lda, b_, ldb_, T(0), c, ldc, done);
  check_sizes(m, n_, k_, lda, ldb_, ldc);
  run_packed(Product<T>{false, tb_, m, n_, k_, T(1), a, lda, b_, ldb_, T(0), c, ldc},
             kernels::PackedMatrix<T>{packed_->data(), k_, n_}, done);
}

template <class T>
void gemm_batched(bool ta, bool tb, int64_t outer, int64_t inner, int64_t m, int64_t n, int64_t k,
                  T alpha, const T* a, int64_t lda, BatchStride stride_a, const T* b, int64_t ldb,
                  BatchStride stride_b, T beta, T* c, int64_t ldc, BatchStride stride_c) {
  if (m == 0 || n == 0 || outer == 0 || inner == 0) return;
  check_sizes(m, n, k, lda, ldb, ldc);
  const auto at = [&](int64_t r) {
    const int64_t o = r / inner, i = r % inner;
    return Product<T>{ta,
                      tb,
                      m,
                      n,
                      k,
                      alpha,
                      a + o * stride_a.outer + i * stride_a.inner,
                      lda,
                      b + o * stride_b.outer + i * stride_b.inner,
                      ldb,
                      beta,
                      c + o * stride_c.outer + i * stride_c.inner,
                      ldc};
  };
  const double work = multiply_adds(m, n, k);
  const bool own = at(0).ours(), packed = own && !at(0).near();
  if (packed || (outer * inner < kCells && work > 2 * kWork)) {  // large: cut each
    for (int64_t r = 0; r < outer * inner; ++r) run(at(r), {});
    return;
  }
  parallel_for(outer * inner, static_cast<int64_t>(std::max(1.0, kWork / work)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r) at(r).run(own);
               });
}

#define WEFT_INSTANTIATE(T)                                                                        \
  template class RightOperand<T>;                                                                  \
  template void gemm(bool, bool, int64_t, int64_t, int64_t, T, const T*, int64_t, const T*,        \
                     int64_t, T, T*, int64_t, RowEpilogue);                                        \
  template void gemm_batched(bool, bool, int64_t, int64_t, int64_t, int64_t, int64_t, T, const T*, \
                             int64_t, BatchStride, const T*, int64_t, BatchStride, T, T*, int64_t, \
                             BatchStride);
WEFT_INSTANTIATE(float)
WEFT_INSTANTIATE(double)

}  // namespace weft
