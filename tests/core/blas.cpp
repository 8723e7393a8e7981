// Matrix products against the definition, and their bits at different numbers of threads.
#include <weft/core/blas.h>
#include <weft/core/error.h>
#include <weft/core/parallel.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <cstring>
#include <vector>

using namespace weft;

namespace {

template <class T>
std::vector<T> random_vector(int64_t n, uint64_t seed) {
  Generator gen(seed);
  std::vector<T> v(static_cast<size_t>(n));
  for (T& x : v) x = static_cast<T>(gen.normal());
  return v;
}

struct Problem {
  bool ta, tb;
  int64_t m, n, k;
  int64_t lda() const { return (ta ? m : k) + 3; }
  int64_t ldb() const { return (tb ? k : n) + 1; }
  int64_t ldc() const { return n + 2; }
};

template <class T>
std::vector<T> run(const Problem& p, T alpha, T beta) {
  const auto a = random_vector<T>((p.ta ? p.k : p.m) * p.lda(), 1);
  const auto b = random_vector<T>((p.tb ? p.n : p.k) * p.ldb(), 2);
  auto c = random_vector<T>(p.m * p.ldc(), 3);
  gemm(p.ta, p.tb, p.m, p.n, p.k, alpha, a.data(), p.lda(), b.data(), p.ldb(), beta, c.data(),
       p.ldc());
  return c;
}

template <class T>
std::vector<double> by_definition(const Problem& p, double alpha, double beta) {
  const auto a = random_vector<T>((p.ta ? p.k : p.m) * p.lda(), 1);
  const auto b = random_vector<T>((p.tb ? p.n : p.k) * p.ldb(), 2);
  const auto c = random_vector<T>(p.m * p.ldc(), 3);
  std::vector<double> out(c.begin(), c.end());
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < p.k; ++l) {
        const int64_t ia = p.ta ? l * p.lda() + i : i * p.lda() + l;
        const int64_t ib = p.tb ? j * p.ldb() + l : l * p.ldb() + j;
        sum += static_cast<double>(a[static_cast<size_t>(ia)]) *
               static_cast<double>(b[static_cast<size_t>(ib)]);
      }
      double& y = out[static_cast<size_t>(i * p.ldc() + j)];
      y = alpha * sum + beta * y;
    }
  return out;
}

template <class T>
double largest_error(const std::vector<T>& got, const std::vector<double>& want) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(got[i]) - want[i]));
  return worst;
}

}  // namespace

TEST_CASE("gemm equals its definition in every layout and at odd sizes", "[kernels]") {
  const bool ta = GENERATE(false, true), tb = GENERATE(false, true);
  for (int64_t m : {1, 2, 5, 17, 50, 100})
    for (int64_t n : {1, 3, 16, 33, 70})
      for (int64_t k : {0, 1, 4, 33, 300}) {
        const Problem p{ta, tb, m, n, k};
        CAPTURE(m, n, k);
        REQUIRE(largest_error(run<double>(p, 1.5, 0.5), by_definition<double>(p, 1.5, 0.5)) <
                1e-11);
        REQUIRE(largest_error(run<float>(p, 1.5f, 0.5f), by_definition<float>(p, 1.5, 0.5)) < 2e-4);
        REQUIRE(largest_error(run<float>(p, 1, 0), by_definition<float>(p, 1, 0)) < 2e-4);
      }
}

TEST_CASE("gemm equals its definition at sizes that are packed", "[kernels]") {
  const bool ta = GENERATE(false, true), tb = GENERATE(false, true);
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{
           {701, 200, 259}, {280, 1100, 270}, {960, 150, 31}, {450, 300, 5}, {451, 300, 4}}) {
    const Problem p{ta, tb, m, n, k};
    CAPTURE(m, n, k);
    CHECK(largest_error(run<double>(p, 1.5, 0.5), by_definition<double>(p, 1.5, 0.5)) < 1e-11);
    CHECK(largest_error(run<float>(p, 1.5f, 0.5f), by_definition<float>(p, 1.5, 0.5)) < 2e-4);
  }
}

// A weft without a BLAS multiplies so; else BLAS makes the larger ones of `any` on the baseline.
TEMPLATE_TEST_CASE("products by our kernels alone equal the definition and those of BLAS",
                   "[kernels]", float, double) {
  const bool ta = GENERATE(false, true), tb = GENERATE(false, true);
  const double most = sizeof(TestType) == 4 ? 2e-4 : 1e-11;
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{{0, 5, 3},
                                                                   {5, 0, 3},
                                                                   {3, 5, 0},
                                                                   {1, 1, 1},
                                                                   {7, 300, 1},
                                                                   {65, 129, 257},
                                                                   {200, 131, 300},
                                                                   {530, 256, 31}}) {
    const Problem p{ta, tb, m, n, k};
    CAPTURE(m, n, k);
    const std::vector<double> want = by_definition<TestType>(p, 1.5, 0.5);
    const auto any = run<TestType>(p, TestType(1.5), TestType(0.5));
    const IndependentRows only_ours;
    const auto ours = run<TestType>(p, TestType(1.5), TestType(0.5));
    CHECK(largest_error(ours, want) < most);
    CHECK(largest_error(any, want) < most);
  }
}

#if defined(__x86_64__)
TEST_CASE("gemm takes subnormal numbers for zero, and only gemm") {
  const float tiny = 1e-39f, one = 1;
  float c = 0;
  gemm<float>(false, false, 1, 1, 1, 1, &tiny, 1, &one, 1, 0, &c, 1);
  CHECK(c == 0);
  volatile float x = tiny;
  CHECK(x * one > 0);
}
#endif

TEST_CASE("gemm with beta = 0 never reads C") {
  const float a[2] = {1, 2}, b[2] = {3, 4};
  float c = NAN;
  gemm<float>(false, false, 1, 1, 2, 1, a, 2, b, 1, 0, &c, 1);
  CHECK(c == 11);
  c = NAN;
  gemm<float>(false, false, 1, 1, 0, 1, a, 2, b, 1, 0, &c, 1);
  CHECK(c == 0);
}

TEST_CASE("gemm gives the same bits at 1, 2 and 3 threads", "[kernels]") {
  const int before = num_threads();
  const bool ta = GENERATE(false, true), tb = GENERATE(false, true);
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{{49, 64, 32},
                                                                   {200, 130, 70},
                                                                   {500, 96, 300},
                                                                   {8, 1000, 64},
                                                                   {3, 5000, 40},
                                                                   {97, 33, 600},
                                                                   {1001, 300, 300},
                                                                   {256, 600, 270},
                                                                   {150, 2000, 40}}) {
    const Problem p{ta, tb, m, n, k};
    CAPTURE(m, n, k);
    set_num_threads(1);
    const auto c1 = run<float>(p, 1, 0);
    for (int threads : {2, 3, 5}) {
      set_num_threads(threads);
      const auto c = run<float>(p, 1, 0);
      CHECK(std::memcmp(c.data(), c1.data(), c.size() * sizeof(float)) == 0);
    }
  }
  set_num_threads(before);
}

TEST_CASE("a row of a product has the same bits among any number of rows where it is asked for",
          "[kernels]") {
  const bool tb = GENERATE(false, true);
  const int before = num_threads();
  for (const auto& [most, n, k] :
       std::vector<std::array<int64_t, 3>>{{700, 300, 300}, {90, 2000, 128}, {300, 33, 1000}}) {
    const auto a = random_vector<float>(most * k, 1), b = random_vector<float>(n * k, 2);
    // Rows [begin, begin + m) of the product, as one product or as a batch of them.
    auto rows = [&, n = n, k = k](int64_t begin, int64_t m, bool batched) {
      const IndependentRows same_bits;
      std::vector<float> c(static_cast<size_t>(m * n));
      const int64_t ldb = tb ? k : n, batch = batched ? m : 1, each = m / batch;
      gemm_batched<float>(false, tb, 1, batch, each, n, k, 1, a.data() + begin * k, k,
                          {0, each * k}, b.data(), ldb, {}, 0, c.data(), n, {0, each * n});
      return c;
    };
    for (const int threads : {1, 2}) {
      set_num_threads(threads);
      const std::vector<float> all = rows(0, most, false);
      for (const int64_t m : {1, 2, 7, 12, 64, 65})
        for (const int64_t begin : {int64_t{0}, most - m}) {
          CAPTURE(n, k, m, begin, threads);
          const auto* want = all.data() + begin * n;
          const auto one = rows(begin, m, false), batch = rows(begin, m, true);
          REQUIRE(std::memcmp(one.data(), want, one.size() * sizeof(float)) == 0);
          REQUIRE(std::memcmp(batch.data(), want, batch.size() * sizeof(float)) == 0);
        }
    }
  }
  set_num_threads(before);
}

TEST_CASE("gemm's epilogue sees each finished row once") {
  const int64_t columns = GENERATE(20, 500);
  const Problem p{false, false, 333, columns, 30};
  const auto a = random_vector<float>(p.m * p.k, 1), b = random_vector<float>(p.k * p.n, 2);
  std::vector<float> plain(static_cast<size_t>(p.m * p.n)), c = plain;
  gemm<float>(false, false, p.m, p.n, p.k, 1, a.data(), p.k, b.data(), p.n, 0, plain.data(), p.n,
              [](int64_t, int64_t) {});  // where BLAS multiplies, rows wanted whole are other bits
  gemm<float>(false, false, p.m, p.n, p.k, 1, a.data(), p.k, b.data(), p.n, 0, c.data(), p.n,
              [&](int64_t begin, int64_t end) {
                for (int64_t i = begin * p.n; i < end * p.n; ++i) c[static_cast<size_t>(i)] += 1;
              });
  for (size_t i = 0; i < c.size(); ++i) REQUIRE(c[i] == plain[i] + 1);
}

TEST_CASE("RightOperand multiplies as gemm does, packed or not", "[kernels]") {
  const bool tb = GENERATE(false, true);
  const int64_t n = GENERATE(20, 500), k = 310, most = 300, rows = GENERATE(1, 300);
  const auto a = random_vector<float>(most * k, 1), b = random_vector<float>(n * k, 2);
  const int64_t ldb = tb ? k : n;
  const RightOperand<float> right(tb, rows, n, k, b.data(), ldb, 2);
  for (const int64_t m : {0, 1, 30, 300}) {
    std::vector<float> one(static_cast<size_t>(m * n), 1), two = one;
    gemm<float>(false, tb, m, n, k, 1, a.data(), k, b.data(), ldb, 0, one.data(), n);
    right.multiply(m, a.data(), k, two.data(), n);
    CAPTURE(m, n);
    CHECK(one == two);  // packed or in place, the same bits
  }
}

TEST_CASE("gemm_batched of an empty batch does nothing") {
  float c = 7;
  gemm_batched<float>(false, false, 2, 0, 1, 1, 1, 1, nullptr, 1, {}, nullptr, 1, {}, 0, &c, 1, {});
  CHECK(c == 7);
}

TEST_CASE("gemm_batched takes heads of a packed projection") {
  const int64_t B = 3, T = 10, H = 2, Dh = 5, D = H * Dh;
  const auto q = random_vector<float>(B * T * D, 1), k = random_vector<float>(B * T * D, 2);
  std::vector<float> s(static_cast<size_t>(B * H * T * T));
  gemm_batched<float>(false, true, B, H, T, T, Dh, 2, q.data(), D, {T * D, Dh}, k.data(), D,
                      {T * D, Dh}, 0, s.data(), T, {H * T * T, T * T});
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < T; ++i)
        for (int64_t j = 0; j < T; ++j) {
          double sum = 0;
          for (int64_t d = 0; d < Dh; ++d)
            sum += 2.0 * static_cast<double>(q[static_cast<size_t>((b * T + i) * D + h * Dh + d)]) *
                   static_cast<double>(k[static_cast<size_t>((b * T + j) * D + h * Dh + d)]);
          REQUIRE(static_cast<double>(s[static_cast<size_t>(((b * H + h) * T + i) * T + j)]) ==
                  Approx(sum).margin(1e-5));
        }
}

TEST_CASE("gemm refuses sizes beyond BLAS's ints") {
  float x = 0;
  CHECK_THROWS_AS(gemm<float>(false, false, 1, 1, int64_t{1} << 31, 1, &x, 1, &x, 1, 0, &x, 1),
                  Error);
}
