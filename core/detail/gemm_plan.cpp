#include <weft/core/detail/gemm_plan.h>
#include <weft/core/kernels/gemm.h>

#include <algorithm>

namespace weft {
namespace {

constexpr double kWork = 500e3;          // multiply-adds worth a thread's wake-up
constexpr double kSmallProduct = 250e3;  // below, BLAS's overhead counts
constexpr double kPackingWork = 16;      // multiply-adds that packing an element is worth

constexpr int64_t kTileRows = 12;      // rows are cut at multiples, for our kernels
constexpr int64_t kColumnUnit = 64;    // columns too: whole tiles and cache lines
constexpr int64_t kBlasUnit = 24;      // either, for BLAS
constexpr int64_t kBlasParts = 8;      // at most
constexpr int64_t kHotRows = 256;      // of C: so many are still in cache for an epilogue
constexpr int64_t kManyColumns = 256;  // of C: enough to cut them, each thread packing its own B

constexpr int64_t kFewRows = 64;                     // of A, for each of the reasons
constexpr int64_t kFewColumns = 128;                 // of B
constexpr int64_t kFewLanes = 2;                     // of B: so few are for BLAS, if there is one
constexpr int64_t kFewDepth = 32;                    // to pay for rounding operands
constexpr int64_t kSmallResult = int64_t{1} << 17;   // elements of C
constexpr int64_t kSmallOperand = int64_t{1} << 16;  // elements of a B for several products
constexpr int64_t kFarColumns = 512;  // row stride of A from which rows lie on different pages

double multiply_adds(int64_t m, int64_t n, int64_t k) {
  return static_cast<double>(m) * static_cast<double>(n) *
         static_cast<double>(std::max<int64_t>(k, 1));
}

double work(const GemmShape& s) { return multiply_adds(s.m, s.n, s.k); }

bool ours(const GemmShape& s, Isa isa, bool only_ours) {
  if (only_ours || work(s) < kSmallProduct || isa == Isa::avx512) return true;
  return isa == Isa::avx2 && !s.float64 && s.n > kFewLanes;
}

/// Multiples of `unit` that make a piece of [0, size) worth a thread, if all of it is `work`.
int64_t grain_of(int64_t size, int64_t unit, double work) {
  const double per_unit = work / static_cast<double>(size) * static_cast<double>(unit);
  return static_cast<int64_t>(std::clamp(kWork / per_unit, 1.0, 1e9)) * unit;
}

GemmReason reason_of(const GemmShape& s, Isa isa) {
  // Columns of a transposed A that lie far apart are slow to read in place.
  const bool far = s.ta && s.lda >= kFarColumns;
  const int64_t less = far ? 4 : 1;
  // A tile's columns of B are packed into 16 KiB with AVX2: they wait in L1 for more rows of A.
  const int64_t more = isa == Isa::avx2 && !far ? 4 : 1;
  if (s.k == 0) return GemmReason::no_depth;
  if (s.m <= kFewRows * more) return GemmReason::few_rows;
  if (s.n <= kFewColumns / less) return GemmReason::few_columns;
  if (s.m * s.n <= kSmallResult / less) return GemmReason::small_result;
  return GemmReason::large;
}

GemmPlan cut_rows(GemmWay way, GemmReason reason, const GemmShape& s) {
  return {way,
          reason,
          GemmCut::rows,
          grain_of(s.m, kTileRows, work(s)),
          0,
          s.epilogue ? kHotRows : s.m};
}

GemmPlan cut_columns(GemmWay way, GemmReason reason, const GemmShape& s) {
  return {way, reason, GemmCut::columns, grain_of(s.n, kColumnUnit, work(s)), 0, s.n};
}

GemmPlan plan_blas(const GemmShape& s) {
  const bool columns = s.n > s.m && !s.epilogue;
  const int64_t size = columns ? s.n : s.m, units = (size + kBlasUnit - 1) / kBlasUnit;
  const auto most = static_cast<double>(std::min(kBlasParts, units));
  return {GemmWay::blas,
          GemmReason::blas_is_faster,
          columns ? GemmCut::columns : GemmCut::rows,
          kBlasUnit,
          static_cast<int64_t>(std::clamp(work(s) / kWork, 1.0, most)),
          size};
}

GemmPlan plan_packed(GemmReason reason, const GemmShape& s) {
  const bool columns = s.n > s.m && !s.epilogue;
  return (columns ? cut_columns : cut_rows)(GemmWay::packed, reason, s);
}

GemmPlan plan_one(const GemmShape& s, Isa isa, bool only_ours) {
  const GemmReason reason = reason_of(s, isa);
  if (reason == GemmReason::no_depth) return cut_rows(GemmWay::scale, reason, s);
  if (!ours(s, isa, only_ours)) return plan_blas(s);
  if (reason == GemmReason::large) return plan_packed(reason, s);
  // A thread packs its own part of B.
  const bool columns = !s.ta && s.n >= kManyColumns && !s.epilogue;
  return (columns ? cut_columns : cut_rows)(GemmWay::in_place, reason, s);
}

}  // namespace

GemmPlan plan_gemm(const GemmShape& s, Isa isa, bool only_ours) {
  GemmPlan plan = plan_one(s, isa, only_ours);
  const bool large = s.batch < kBlasParts && work(s) > 2 * kWork;
  if (s.batch == 1 || plan.way == GemmWay::packed || large) return plan;
  plan.cut = GemmCut::products;
  plan.grain = static_cast<int64_t>(std::max(1.0, kWork / work(s)));
  plan.parts = 0;
  plan.step = s.batch;
  return plan;
}

GemmPlan plan_packed_gemm(const GemmShape& s) { return plan_packed(GemmReason::packed_before, s); }

bool gains_by_bf16(const GemmShape& s) {
  return s.m > kFewRows && s.n >= kernels::kPackedColumns && s.k >= kFewDepth &&
         work(s) >= kSmallProduct;
}

bool packs_for_several(const GemmShape& s, int64_t times, Isa isa, bool only_ours) {
  const bool narrow = s.n < kernels::kPackedColumns;  // most of what was packed would be padding
  if (narrow || s.m == 0 || s.k == 0 || !ours(s, isa, only_ours)) return false;
  return s.m <= kFewRows ? times > 1 : s.k * s.n >= kSmallOperand;
}

int64_t packing_grain(int64_t n, int64_t k) {
  return grain_of(n, kernels::kPackedColumns, kPackingWork * multiply_adds(1, n, k));
}

}  // namespace weft
