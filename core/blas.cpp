// Matrix products as detail/gemm_plan.h plans them: through our own kernels or through a BLAS,
// where weft is built with one, each call on one thread.
#include <weft/core/allocator.h>
#include <weft/core/blas.h>
#include <weft/core/detail/cblas.h>
#include <weft/core/detail/check.h>
#include <weft/core/detail/gemm_plan.h>
#include <weft/core/kernels/gemm.h>
#include <weft/core/kernels/gemm_bf16.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <utility>

namespace weft {
namespace {

using kernels::Bf16Pair;
#if defined(WEFT_BLAS)
constexpr bool kHasBlas = true;
#else
constexpr bool kHasBlas = false;
#endif

thread_local bool t_independent_rows = false;
std::atomic<MatmulPrecision> g_precision = MatmulPrecision::float32;

bool only_ours() { return !kHasBlas || t_independent_rows; }

void check_sizes(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc) {
  const int64_t limit = std::numeric_limits<int>::max();
  check(std::max({m, n, k, lda, ldb, ldc}) <= limit,
        "gemm: sizes must be below 2^31; got m {}, n {}, k {}, row strides {}, {}, {}", m, n, k,
        lda, ldb, ldc);
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

  /// One of a batch, which may be followed by an epilogue.
  GemmShape shape(bool epilogue = false, int64_t batch = 1) const {
    return {m, n, k, ta, lda, epilogue, batch, std::is_same_v<T, double>};
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
};

GemmPlan plan(const GemmShape& shape) { return plan_gemm(shape, kCpuIsa, only_ours()); }

template <class T>
void scale(const Product<T>& p) {
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      T& y = p.c[i * p.ldc + j];
      y = p.beta == T(0) ? T(0) : p.beta * y;
    }
}

/// On this thread, which flushes subnormal numbers.
template <class T>
void run_on_one(const Product<T>& p, GemmWay way) {
  if (way == GemmWay::scale) return scale(p);
  if (way == GemmWay::in_place)
    return kernels::gemm_block<T>(p.m, p.n, p.k, p.alpha, p.left(), p.right(), p.beta, p.c, p.ldc);
  if constexpr (kHasBlas)
    blas_gemm(p.ta, p.tb, p.m, p.n, p.k, p.alpha, p.a, p.lda, p.b, p.ldb, p.beta, p.c, p.ldc);
}

/// Calls part(begin, end) for the parts of [0, size) that are planned.
template <class F>
void in_parts(const GemmPlan& plan, int64_t size, F part) {
  if (plan.parts == 0) return parallel_for(size, plan.grain, part);
  const int64_t units = (size + plan.grain - 1) / plan.grain;
  parallel_for(plan.parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      part(units * i / plan.parts * plan.grain,
           std::min(size, units * (i + 1) / plan.parts * plan.grain));
  });
}

/// Calls piece(begin, end) for pieces of all rows or columns, and `done` after each.
template <class F>
void in_pieces(const GemmPlan& plan, int64_t size, RowEpilogue done, F piece) {
  in_parts(plan, size, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += plan.step) {
      const int64_t past = std::min(end, i + plan.step);
      piece(i, past);
      if (done) done(i, past);
    }
  });
}

template <class T>
void run_unpacked(const Product<T>& p, const GemmPlan& plan, RowEpilogue done) {
  auto run = [&](const Product<T>& part) {
    const FlushSubnormals flush;
    run_on_one(part, plan.way);
  };
  if (plan.cut == GemmCut::columns)
    return in_pieces(plan, p.n, {},
                     [&](int64_t begin, int64_t end) { run(p.columns(begin, end)); });
  in_pieces(plan, p.m, done, [&](int64_t begin, int64_t end) { run(p.rows(begin, end)); });
}

bool in_bf16(const Product<float>& p) {
  return g_precision == MatmulPrecision::bf16 && !t_independent_rows && gains_by_bf16(p.shape());
}
bool in_bf16(const Product<double>&) { return false; }

/// Elements of a packed right operand [k, n].
template <class P>
int64_t packed_size(int64_t k, int64_t n) {
  return (std::is_same_v<P, Bf16Pair> ? (k + 1) / 2 : k) * kernels::packed_columns(n);
}

/// The right operand of p, packed into `room` by all threads. P: T or Bf16Pair.
template <class P, class T>
kernels::PackedMatrix<P> pack_right(const Product<T>& p, P* room) {
  const kernels::PackedMatrix<P> packed{room, p.k, p.n};
  parallel_for(p.n, packing_grain(p.n, p.k), [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<P, T>)
      kernels::pack_columns<T>(p.right(), begin, end, packed);
    else
      kernels::avx512_bf16::pack_columns(p.right(), begin, end, packed);
  });
  return packed;
}

template <class P, class T>
void run_packed(const Product<T>& p, const GemmPlan& plan, const kernels::PackedMatrix<P>& b,
                RowEpilogue done) {
  auto run = [&](const Product<T>& part, int64_t begin, int64_t end) {
    const FlushSubnormals flush;
    const auto a = part.left();
    if constexpr (std::is_same_v<P, T>)
      kernels::gemm_packed<T>(part.m, begin, end, p.alpha, a, b, p.beta, part.c, p.ldc);
    else
      kernels::avx512_bf16::gemm_packed(part.m, begin, end, p.alpha, a, b, p.beta, part.c, p.ldc);
  };
  if (plan.cut == GemmCut::columns)
    return in_pieces(plan, p.n, {}, [&](int64_t begin, int64_t end) { run(p, begin, end); });
  in_pieces(plan, p.m, done, [&](int64_t begin, int64_t end) { run(p.rows(begin, end), 0, p.n); });
}

template <class P, class T>
void pack_and_run(const Product<T>& p, const GemmPlan& plan, RowEpilogue done) {
  const Scratch<P> room(packed_size<P>(p.k, p.n));
  run_packed(p, plan, pack_right(p, room.data()), done);
}

/// On all threads.
template <class T>
void run(const Product<T>& p, const GemmPlan& plan, RowEpilogue done) {
  if constexpr (std::is_same_v<T, float>)
    if (in_bf16(p)) return pack_and_run<Bf16Pair>(p, plan_packed_gemm(p.shape(bool(done))), done);
  if (plan.way == GemmWay::packed) return pack_and_run<T>(p, plan, done);
  run_unpacked(p, plan, done);
}

}  // namespace

void set_float32_matmul_precision(MatmulPrecision precision) {
  check(precision == MatmulPrecision::float32 || cpu_has_bf16(),
        "matmul precision: bf16 needs a CPU with AVX-512 BF16; this one, or WEFT_CPU, has none");
  g_precision = precision;
}

MatmulPrecision float32_matmul_precision() { return g_precision; }

IndependentRows::IndependentRows() : before_(std::exchange(t_independent_rows, true)) {}
IndependentRows::~IndependentRows() { t_independent_rows = before_; }

template <class T>
void gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t lda,
          const T* b, int64_t ldb, T beta, T* c, int64_t ldc, RowEpilogue done) {
  if (m == 0 || n == 0) return;
  check_sizes(m, n, k, lda, ldb, ldc);
  const Product<T> p{ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc};
  run(p, plan(p.shape(bool(done))), done);
}

template <class T>
RightOperand<T>::RightOperand(bool tb, int64_t rows, int64_t n, int64_t k, const T* b, int64_t ldb,
                              int64_t times)
    : tb_(tb), n_(n), k_(k), b_(b), ldb_(ldb) {
  const Product<T> p{false, tb, rows, n, k, T(1), nullptr, k, b, ldb, T(0), nullptr, n};
  bf16_ = in_bf16(p);
  if (!bf16_ && !packs_for_several(p.shape(), times, kCpuIsa, only_ours())) return;
  check_sizes(rows, n, k, k, ldb, n);
  T* const room = packed_.emplace(packed_size<T>(k, n)).data();
  if constexpr (std::is_same_v<T, float>)
    if (bf16_) {
      pack_right(p, reinterpret_cast<Bf16Pair*>(room));
      return;
    }
  pack_right(p, room);
}

template <class T>
void RightOperand<T>::multiply(int64_t m, const T* a, int64_t lda, T* c, int64_t ldc,
                               RowEpilogue done) const {
  const Product<T> p{false, tb_, m, n_, k_, T(1), a, lda, b_, ldb_, T(0), c, ldc};
  const GemmShape shape = p.shape(bool(done));
  if (m == 0 || !packed_ || (!bf16_ && plan(shape).way == GemmWay::blas))
    return gemm(false, tb_, m, n_, k_, T(1), a, lda, b_, ldb_, T(0), c, ldc, done);
  check_sizes(m, n_, k_, lda, ldb_, ldc);
  const GemmPlan plan = plan_packed_gemm(shape);
  const auto run = [&]<class P>(P* data) {
    run_packed(p, plan, kernels::PackedMatrix<P>{data, k_, n_}, done);
  };
  if constexpr (std::is_same_v<T, float>)
    if (bf16_) return run(reinterpret_cast<Bf16Pair*>(packed_->data()));
  run(packed_->data());
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
  const int64_t batch = outer * inner;
  const GemmPlan planned = plan(at(0).shape(false, batch));
  if (planned.cut != GemmCut::products) {
    for (int64_t r = 0; r < batch; ++r) run(at(r), planned, {});
    return;
  }
  in_pieces(planned, batch, {}, [&](int64_t begin, int64_t end) {
    const FlushSubnormals flush;
    for (int64_t r = begin; r < end; ++r) run_on_one(at(r), planned.way);
  });
}

template class RightOperand<float>;
template class RightOperand<double>;
WEFT_INSTANTIATE(gemm, float, double)
WEFT_INSTANTIATE(gemm_batched, float, double)

}  // namespace weft
