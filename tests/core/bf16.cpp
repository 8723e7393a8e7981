// Matrix products of operands rounded to bfloat16, against the same in double.
#include <weft/core/blas.h>
#include <weft/core/cpu.h>
#include <weft/core/error.h>
#include <weft/core/parallel.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

using namespace weft;
using Catch::Matchers::Contains;

namespace {

// Says so where the rest of a test has nothing to look at.
bool without_bf16() {
  if (!cpu_has_bf16()) WARN("skipped: this CPU has no dot products of bfloat16");
  return !cpu_has_bf16();
}

struct InBf16 {
  InBf16() { set_float32_matmul_precision(MatmulPrecision::bf16); }
  ~InBf16() { set_float32_matmul_precision(MatmulPrecision::float32); }
};

std::vector<float> random_vector(int64_t n, uint64_t seed) {
  Generator gen(seed);
  std::vector<float> v(static_cast<size_t>(n));
  for (float& x : v) x = static_cast<float>(gen.normal());
  return v;
}

/// To 8 bits of significand, ties to even, by its definition.
double rounded(float x) {
  int exponent = 0;
  const double significand = std::frexp(static_cast<double>(x), &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(significand, 8)), exponent - 8);
}

struct Problem {
  bool ta, tb;
  int64_t m, n, k;

  int64_t lda() const { return (ta ? m : k) + 3; }
  int64_t ldb() const { return (tb ? k : n) + 1; }
  float left(const std::vector<float>& a, int64_t i, int64_t l) const {
    return a[static_cast<size_t>(ta ? l * lda() + i : i * lda() + l)];
  }
  float right(const std::vector<float>& b, int64_t l, int64_t j) const {
    return b[static_cast<size_t>(tb ? j * ldb() + l : l * ldb() + j)];
  }
};

std::vector<float> multiply(const Problem& p, const std::vector<float>& a,
                            const std::vector<float>& b, float alpha = 1, float beta = 0) {
  std::vector<float> c(static_cast<size_t>(p.m * p.n), 3);
  gemm(p.ta, p.tb, p.m, p.n, p.k, alpha, a.data(), p.lda(), b.data(), p.ldb(), beta, c.data(), p.n);
  return c;
}

}  // namespace

TEST_CASE("bf16: without dot products of bfloat16 it is refused") {
  if (cpu_has_bf16()) return;
  CHECK_THROWS_WITH(set_float32_matmul_precision(MatmulPrecision::bf16),
                    Contains("bf16 needs a CPU with AVX-512 BF16"));
  CHECK(float32_matmul_precision() == MatmulPrecision::float32);
}

TEST_CASE("bf16: a product is that of the rounded operands, summed in float32") {
  if (without_bf16()) return;
  const bool ta = GENERATE(false, true), tb = GENERATE(false, true);
  const Problem p = GENERATE_COPY(Problem{ta, tb, 65, 64, 61}, Problem{ta, tb, 131, 75, 700},
                                  Problem{ta, tb, 66, 601, 33}, Problem{ta, tb, 300, 100, 512});
  const auto a = random_vector((ta ? p.k : p.m) * p.lda(), 1);
  const auto b = random_vector((tb ? p.n : p.k) * p.ldb(), 2);
  const InBf16 precision;
  const std::vector<float> c = multiply(p, a, b, 0.5f, 2);
  double worst = 0;
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = 0, size = 0;
      for (int64_t l = 0; l < p.k; ++l) {
        const double term = rounded(p.left(a, i, l)) * rounded(p.right(b, l, j));
        sum += term;
        size += std::abs(term);
      }
      const double got = static_cast<double>(c[static_cast<size_t>(i * p.n + j)]);
      const double bound = 0.5 * size * static_cast<double>(p.k + 4) * 0x1p-24 + 6 * 0x1p-24;
      worst = std::max(worst, std::abs(got - (0.5 * sum + 2.0 * 3)) / bound);
    }
  CAPTURE(p.m, p.n, p.k);
  CHECK(worst <= 1);
}

TEST_CASE("bf16: the same bits at any number of threads, from a packed operand, of any rows") {
  if (without_bf16()) return;
  const InBf16 precision;
  const int before = num_threads();
  const Problem p{false, true, 700, 333, 257};
  const auto a = random_vector(p.m * p.lda(), 1), b = random_vector(p.n * p.ldb(), 2);
  const std::vector<float> alone = multiply(p, a, b);
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    CHECK(multiply(p, a, b) == alone);
    const RightOperand<float> right(true, p.m, p.n, p.k, b.data(), p.ldb());
    std::vector<float> c(alone.size());
    right.multiply(p.m, a.data(), p.lda(), c.data(), p.n);
    CHECK(c == alone);
  }
  const std::vector<float> some = multiply({false, true, 101, p.n, p.k}, a, b);
  CHECK(std::equal(some.begin(), some.end(), alone.begin()));
  set_num_threads(before);
}

TEST_CASE("bf16: what is small, or must not depend on its neighbours, is not rounded") {
  if (without_bf16()) return;
  for (const auto& [p, independent] : {std::pair{Problem{false, false, 64, 128, 300}, false},
                                       {{false, false, 300, 63, 300}, false},
                                       {{false, false, 300, 300, 31}, false},
                                       {{false, false, 300, 300, 300}, true}}) {
    const auto a = random_vector(p.m * p.lda(), 1), b = random_vector(p.k * p.ldb(), 2);
    std::optional<IndependentRows> same;
    if (independent) same.emplace();
    const std::vector<float> c = multiply(p, a, b);
    const InBf16 precision;
    CHECK(multiply(p, a, b) == c);
  }
  const Problem large{false, false, 300, 300, 300};
  const auto a = random_vector(large.m * large.lda(), 1),
             b = random_vector(large.k * large.ldb(), 2);
  const std::vector<float> c = multiply(large, a, b);
  const InBf16 precision;
  CHECK_FALSE(multiply(large, a, b) == c);
}

TEST_CASE("bf16: infinities, NaN, ties and subnormal numbers") {
  if (without_bf16()) return;
  const InBf16 precision;
  const Problem p{false, false, 128, 64, 64};
  // Each row of A holds one number, which is multiplied by 1.
  const auto alone = [&](float x) {
    std::vector<float> a(static_cast<size_t>(p.m * p.lda())), b(static_cast<size_t>(p.k * p.ldb()));
    for (int64_t i = 0; i < p.m; ++i) a[static_cast<size_t>(i * p.lda() + i % p.k)] = x;
    for (float& one : b) one = 1;
    const std::vector<float> c = multiply(p, a, b);
    for (const float y : c) CHECK((y == c[0] || (std::isnan(y) && std::isnan(c[0]))));
    return c[0];
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK(alone(0x1.01p0f) == 1.0f);       // a tie, to even
  CHECK(alone(0x1.03p0f) == 0x1.04p0f);  // another
  CHECK(alone(0x1.010002p0f) == 0x1.02p0f);
  CHECK(alone(-0x1.fep127f) == -0x1.fep127f);
  CHECK(alone(std::numeric_limits<float>::max()) == kInfinity);
  CHECK(alone(-kInfinity) == -kInfinity);
  CHECK(std::isnan(alone(std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(alone(std::bit_cast<float>(0x7f800001u))));  // its bits would round to infinity
  CHECK(alone(0x1p-126f) == 0x1p-126f);
  CHECK(alone(0x1p-127f) == 0.0f);
}
