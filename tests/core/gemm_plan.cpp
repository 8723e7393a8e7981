// How products are computed, shape by shape: every decision at its edge.
#include <weft/core/detail/gemm_plan.h>
#include <weft/tests/catch.h>

#include <ostream>
#include <string>
#include <vector>

namespace weft {

static std::ostream& operator<<(std::ostream& out, const GemmPlan& p) {
  static constexpr const char* kWays[] = {"scale", "in place", "packed", "blas"};
  static constexpr const char* kReasons[] = {"no depth",      "few rows", "few columns",
                                             "small result",  "large",    "packed before",
                                             "blas is faster"};
  static constexpr const char* kCuts[] = {"rows", "columns", "products"};
  return out << kWays[static_cast<int>(p.way)] << " (" << kReasons[static_cast<int>(p.reason)]
             << "), " << kCuts[static_cast<int>(p.cut)] << " in grains of " << p.grain << ", "
             << p.parts << " parts, " << p.step << " at a time";
}

}  // namespace weft

using namespace weft;

namespace {

using enum GemmWay;
using enum GemmReason;
using enum GemmCut;

struct Row {
  const char* what;
  GemmShape shape;
  GemmPlan plan;
};

void check_table(const std::vector<Row>& table, Isa isa, bool independent_rows) {
  for (const Row& row : table) {
    INFO(row.what);
    CHECK(plan_gemm(row.shape, isa, independent_rows) == row.plan);
  }
}

}  // namespace

TEST_CASE("products by our kernels: which way, and what threads share out") {
  const std::vector<Row> table = {
      {"no depth", {100, 100, 0}, {scale, no_depth, rows, 4992, 0, 100}},
      {"64 rows", {64, 255, 1000}, {in_place, few_rows, rows, 12, 0, 64}},
      {"64 rows, 256 columns", {64, 256, 1000}, {in_place, few_rows, columns, 64, 0, 256}},
      {"of a transposed", {64, 256, 1000, true, 64}, {in_place, few_rows, rows, 12, 0, 64}},
      {"128 columns", {5000, 128, 64}, {in_place, few_columns, rows, 60, 0, 5000}},
      {"2^17 elements", {512, 256, 64}, {in_place, small_result, columns, 64, 0, 256}},
      {"a row more", {513, 256, 64}, {packed, large, rows, 24, 0, 513}},
      {"wide", {300, 512, 64}, {packed, large, columns, 64, 0, 512}},
      {"rows are wanted", {300, 512, 64, false, 64, true}, {packed, large, rows, 12, 0, 256}},
      {"and few", {64, 512, 64, false, 64, true}, {in_place, few_rows, rows, 12, 0, 256}},
      {"rows of A near each other",
       {511, 256, 64, true, 511},
       {in_place, small_result, rows, 24, 0, 511}},
      {"and on different pages", {512, 256, 64, true, 512}, {packed, large, rows, 24, 0, 512}},
      {"then up to 32 columns",
       {5000, 32, 64, true, 5000},
       {in_place, few_columns, rows, 240, 0, 5000}},
      {"or 2^15 elements", {512, 64, 64, true, 512}, {in_place, small_result, rows, 120, 0, 512}},
      {"one element", {1, 1, 1}, {in_place, few_rows, rows, 499992, 0, 1}},
  };
  for (const Isa isa : {Isa::avx2, Isa::avx512}) check_table(table, isa, false);
  for (const Isa isa : {Isa::baseline, Isa::avx2}) check_table(table, isa, true);
}

TEST_CASE("with AVX2 products of float64, and those by one vector or two, are BLAS's") {
  const std::vector<Row> table = {
      {"float64",
       {.m = 1024, .n = 3, .k = 512, .float64 = true},
       {blas, blas_is_faster, rows, 24, 3, 1024}},
      {"two columns", {1024, 2, 512}, {blas, blas_is_faster, rows, 24, 2, 1024}},
      {"three", {1024, 3, 512}, {in_place, few_columns, rows, 324, 0, 1024}},
      {"below 250,000", {1024, 2, 122}, {in_place, few_columns, rows, 2040, 0, 1024}},
  };
  check_table(table, Isa::avx2, false);
  CHECK(plan_gemm({1024, 2, 512}, Isa::avx2, true).way == in_place);
  CHECK(plan_gemm({1024, 2, 512}, Isa::avx512, false).way == in_place);
}

TEST_CASE("with AVX2 up to 256 rows are few, unless columns of A lie far apart") {
  const std::vector<Row> avx2 = {
      {"256 rows", {256, 1024, 1000}, {in_place, few_rows, columns, 64, 0, 1024}},
      {"a row more", {257, 1024, 1000}, {packed, large, columns, 64, 0, 1024}},
      {"of a transposed", {256, 1024, 1000, true, 511}, {in_place, few_rows, rows, 12, 0, 256}},
      {"and far apart", {256, 1024, 1000, true, 512}, {packed, large, columns, 64, 0, 1024}},
  };
  check_table(avx2, Isa::avx2, false);
  const std::vector<Row> others = {
      {"256 rows", {256, 1024, 1000}, {packed, large, columns, 64, 0, 1024}}};
  for (const Isa isa : {Isa::baseline, Isa::avx512}) check_table(others, isa, true);
}

TEST_CASE("products by BLAS: where its overhead counts, and parts with bounds of their own") {
  const std::vector<Row> table = {
      {"250,000 less one row", {99, 50, 50}, {in_place, few_columns, rows, 192, 0, 99}},
      {"250,000", {100, 50, 50}, {blas, blas_is_faster, rows, 24, 1, 100}},
      {"1,000,000", {100, 100, 100}, {blas, blas_is_faster, rows, 24, 2, 100}},
      {"no part below 24 rows", {49, 49, 4000}, {blas, blas_is_faster, rows, 24, 3, 49}},
      {"8 parts", {1000, 500, 500}, {blas, blas_is_faster, rows, 24, 8, 1000}},
      {"wide", {500, 1000, 500}, {blas, blas_is_faster, columns, 24, 8, 1000}},
      {"rows are wanted",
       {500, 1000, 500, false, 500, true},
       {blas, blas_is_faster, rows, 24, 8, 500}},
      {"no depth", {1000, 1000, 0}, {scale, no_depth, rows, 492, 0, 1000}},
  };
  check_table(table, Isa::baseline, false);
}

TEST_CASE("batches: small products by threads whole, large ones one after another") {
  auto batch = [](int64_t count, int64_t m, int64_t n, int64_t k) {
    return GemmShape{.m = m, .n = n, .k = k, .lda = k, .batch = count};
  };
  const std::vector<Row> ours = {
      {"small", batch(2, 10, 10, 10), {in_place, few_rows, products, 500, 0, 2}},
      {"1,000,000 each", batch(7, 100, 100, 100), {in_place, few_columns, products, 1, 0, 7}},
      {"a little more", batch(7, 100, 100, 101), {in_place, few_columns, rows, 48, 0, 100}},
      {"but eight", batch(8, 100, 100, 101), {in_place, few_columns, products, 1, 0, 8}},
      {"eight that are packed", batch(8, 400, 400, 64), {packed, large, rows, 12, 0, 400}},
      {"of one", batch(1, 100, 100, 100), {in_place, few_columns, rows, 48, 0, 100}},
  };
  check_table(ours, Isa::avx512, false);
  const std::vector<Row> of_blas = {
      {"1,000,000 each", batch(7, 100, 100, 100), {blas, blas_is_faster, products, 1, 0, 7}},
      {"a little more", batch(7, 100, 100, 101), {blas, blas_is_faster, rows, 24, 2, 100}},
      {"but eight", batch(8, 400, 400, 64), {blas, blas_is_faster, products, 1, 0, 8}},
  };
  check_table(of_blas, Isa::baseline, false);
}

TEST_CASE("a right operand of several products: when it is packed, and the products by it") {
  const auto packs = [](int64_t m, int64_t n, int64_t k) {
    return packs_for_several({m, n, k}, 1, Isa::avx512, false);
  };
  CHECK(packs(65, 256, 256));
  CHECK_FALSE(packs(64, 256, 256));   // too few rows
  CHECK_FALSE(packs(65, 255, 256));   // too small an operand
  CHECK_FALSE(packs(65, 63, 10000));  // mostly padding
  CHECK(packs_for_several({65, 256, 256}, 1, Isa::avx2, false));
  CHECK_FALSE(packs_for_several({65, 256, 256}, 1, Isa::baseline, false));
  CHECK(packs_for_several({65, 256, 256}, 1, Isa::baseline, true));
  CHECK(packs_for_several({64, 64, 1}, 2, Isa::avx2, false));  // few rows, twice
  CHECK_FALSE(packs_for_several({64, 64, 1}, 1, Isa::avx2, false));
  CHECK_FALSE(packs_for_several({64, 63, 256}, 2, Isa::avx2, false));
  CHECK_FALSE(packs_for_several({64, 64, 0}, 2, Isa::avx2, false));
  CHECK_FALSE(packs_for_several({0, 64, 1}, 2, Isa::avx2, false));
  CHECK(packs_for_several({1, 64, 1}, 2, Isa::baseline, false));
  CHECK_FALSE(packs_for_several({64, 256, 256}, 2, Isa::baseline, false));  // BLAS's

  CHECK(plan_packed_gemm({10, 256, 256}) == GemmPlan{packed, packed_before, columns, 192, 0, 256});
  CHECK(plan_packed_gemm({256, 256, 256}) == GemmPlan{packed, packed_before, rows, 12, 0, 256});
  CHECK(packing_grain(8000, 256) == 64);
  CHECK(packing_grain(8000, 16) == 1920);
}
