// Kernels over rows (reductions, softmax, layer norm, cross-entropy) against their definitions in
// double, and their gradients against differences.
#include <weft/core/kernels/cross_entropy.h>
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/kernels/reduce.h>
#include <weft/core/kernels/softmax.h>
#include <weft/core/parallel.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

using namespace weft;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
using Row = std::vector<double>;

template <class T>
std::vector<T> random_vector(int64_t n, uint64_t seed, double scale = 1) {
  Generator gen(seed);
  std::vector<T> v(static_cast<size_t>(n));
  for (T& x : v) x = static_cast<T>(scale * gen.normal());
  return v;
}

template <class T>
Row widen(const std::vector<T>& v) {
  return Row(v.begin(), v.end());
}

double largest_difference(const Row& a, const Row& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// d (cotangent . f(x)) / dx by central differences.
Row numeric_gradient(const std::function<Row(const Row&)>& f, const Row& x, const Row& cotangent) {
  Row dx(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    Row high = x, low = x;
    high[i] += 1e-6;
    low[i] -= 1e-6;
    const Row above = f(high), below = f(low);
    for (size_t j = 0; j < above.size(); ++j) dx[i] += cotangent[j] * (above[j] - below[j]) / 2e-6;
  }
  return dx;
}

template <class V>
bool same_bits(const V& a, const V& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0);
}

/// Calls f at 1, 2 and 3 threads; its result must have the same bits.
template <class F>
auto same_at_any_threads(F f) {
  const int before = num_threads();
  set_num_threads(1);
  auto one = f();
  for (int threads : {2, 3}) {
    set_num_threads(threads);
    const auto other = f();
    CHECK(same_bits(one, other));
  }
  set_num_threads(before);
  return one;
}

Row softmax(const Row& x) {
  Row y(x.size());
  kernels::softmax_rows<double>(x.data(), y.data(), 1, static_cast<int64_t>(x.size()));
  return y;
}

Row log_softmax(const Row& x) {
  Row y(x.size());
  kernels::log_softmax_rows<double>(x.data(), y.data(), 1, static_cast<int64_t>(x.size()));
  return y;
}

struct Norm {
  Row y;
  kernels::RowMoments<double> moments = {};
};

Norm layer_norm(const Row& x, const Row& gamma, const Row& beta) {
  Norm out{Row(x.size())};
  kernels::layer_norm_rows<double>(x.data(), gamma.data(), beta.data(), 1e-5, out.y.data(),
                                   &out.moments, 1, static_cast<int64_t>(x.size()));
  return out;
}

}  // namespace

TEST_CASE("sum over each position of the reduced dim", "[kernels]") {
  for (int64_t outer : {0, 1, 3})
    for (int64_t n : {0, 1, 2, 31, 2000})
      for (int64_t inner : {1, 2, 17, 600}) {
        const auto x = random_vector<float>(outer * n * inner, 1);
        Row want(static_cast<size_t>(outer * inner));
        for (int64_t o = 0; o < outer; ++o)
          for (int64_t j = 0; j < n; ++j)
            for (int64_t i = 0; i < inner; ++i)
              want[static_cast<size_t>(o * inner + i)] +=
                  static_cast<double>(x[static_cast<size_t>((o * n + j) * inner + i)]);
        const auto y = same_at_any_threads([&] {
          std::vector<float> out(static_cast<size_t>(outer * inner), 9.0f);
          kernels::sum(x.data(), out.data(), outer, n, inner);
          return out;
        });
        CAPTURE(outer, n, inner);
        REQUIRE(largest_difference(widen(y), want) < 2e-4);
      }
}

TEST_CASE("a float sum of a million terms keeps six digits", "[kernels]") {
  std::vector<float> x(1000000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0.1f + 1e-3f * static_cast<float>(i % 7);
  const double want = std::accumulate(x.begin(), x.end(), 0.0);
  for (int64_t inner : {1, 4}) {
    std::vector<float> y(static_cast<size_t>(inner));
    kernels::sum(x.data(), y.data(), 1, 1000000 / inner, inner);
    CHECK(std::accumulate(y.begin(), y.end(), 0.0) == Approx(want).epsilon(1e-6));
  }
  const std::vector<int64_t> ints(1000, 1);
  int64_t total = 0;
  kernels::sum(ints.data(), &total, 1, 1000, 1);
  CHECK(total == 1000);
}

TEST_CASE("max and min find the first extreme; a NaN wins", "[kernels]") {
  const std::vector<float> x = {1, 5, 5, -2, -2, 0};
  float y = 0;
  int64_t at = 0;
  kernels::max(x.data(), &y, &at, 1, 6, 1);
  CHECK((y == 5 && at == 1));
  kernels::min(x.data(), &y, &at, 1, 6, 1);
  CHECK((y == -2 && at == 3));
  kernels::max(x.data(), &y, nullptr, 1, 6, 1);
  CHECK(y == 5);

  float columns[2];
  int64_t rows[2];
  kernels::max(x.data(), columns, rows, 1, 3, 2);  // [[1, 5], [5, -2], [-2, 0]]
  CHECK((columns[0] == 5 && columns[1] == 5 && rows[0] == 1 && rows[1] == 0));

  const std::vector<float> with_nan = {1, NAN, 7, NAN};
  kernels::max(with_nan.data(), &y, &at, 1, 4, 1);
  CHECK((std::isnan(y) && at == 1));
  kernels::min(with_nan.data(), &y, &at, 1, 4, 1);
  CHECK((std::isnan(y) && at == 1));

  std::vector<float> late_nan(1000, 1.0f);
  late_nan[700] = NAN;
  kernels::max(late_nan.data(), &y, &at, 1, 1000, 1);
  CHECK((std::isnan(y) && at == 700));

  for (int64_t n : {1, 15, 16, 17, 100, 1000}) {
    const auto v = random_vector<float>(n, 5);
    kernels::max(v.data(), &y, &at, 1, n, 1);
    REQUIRE(at == std::max_element(v.begin(), v.end()) - v.begin());
    REQUIRE(y == v[static_cast<size_t>(at)]);
  }
}

TEST_CASE("max and min find the extreme wherever it stands; a NaN wins there", "[kernels]") {
  for (int64_t n : {1, 3, 8, 15, 16, 17, 32, 33, 50, 100})
    for (size_t at = 0; at < static_cast<size_t>(n); ++at) {
      CAPTURE(n, at);
      auto x = random_vector<float>(n, 5);
      float y = 0;
      x[at] = 9;
      kernels::max(x.data(), &y, nullptr, 1, n, 1);
      REQUIRE(y == 9);
      x[at] = -9;
      kernels::min(x.data(), &y, nullptr, 1, n, 1);
      REQUIRE(y == -9);
      x[at] = NAN;
      kernels::max(x.data(), &y, nullptr, 1, n, 1);
      REQUIRE(std::isnan(y));
    }
}

TEST_CASE("logsumexp neither overflows nor loses -inf", "[kernels]") {
  const Row x = {1000, 1001, -kInf, -kInf, -5, -kInf};
  Row y(2), top(2), log_total(2);
  // columns {1000, -inf, -5} and {1001, -inf, -inf}
  kernels::logsumexp(x.data(), y.data(), top.data(), log_total.data(), 1, 3, 2);
  CHECK(y[0] == Approx(1000));
  CHECK(y[1] == Approx(1001));
  const Row empty = {-kInf, -kInf};
  kernels::logsumexp(empty.data(), y.data(), top.data(), log_total.data(), 1, 2, 1);
  CHECK((y[0] == -kInf && top[0] == 0 && log_total[0] == 0));
  const auto v = random_vector<float>(1000, 1);
  float got = 0, most = 0, rest = 0;
  kernels::logsumexp(v.data(), &got, &most, &rest, 1, 1000, 1);
  double want = 0;
  for (float e : v) want += std::exp(static_cast<double>(e));
  CHECK(static_cast<double>(got) == Approx(std::log(want)).epsilon(1e-6));
  CHECK(most == *std::max_element(v.begin(), v.end()));
  CHECK(rest == Approx(got - most));
  const std::vector<float> equal = {1e8f, 1e8f, 1e8f};
  kernels::logsumexp(equal.data(), &got, &most, &rest, 1, 3, 1);
  CHECK((got == 1e8f && most == 1e8f));
  CHECK(rest == Approx(std::log(3.0f)));
}

TEST_CASE("softmax rows and their gradient", "[kernels]") {
  for (int64_t n : {1, 2, 7, 16, 33, 100}) {
    const Row x = random_vector<double>(n, 1, 3), dy = random_vector<double>(n, 2);
    const Row y = softmax(x), z = log_softmax(x);
    CHECK(std::accumulate(y.begin(), y.end(), 0.0) == Approx(1));
    for (size_t i = 0; i < y.size(); ++i) REQUIRE(y[i] == Approx(std::exp(z[i])));
    CHECK(y[0] / y.back() == Approx(std::exp(x[0] - x.back())));
    Row dx(x.size());
    kernels::softmax_grad_rows<double>(y.data(), dy.data(), dx.data(), 1, n);
    CHECK(largest_difference(dx, numeric_gradient(softmax, x, dy)) < 1e-8);
    kernels::log_softmax_grad_rows<double>(z.data(), dy.data(), dx.data(), 1, n);
    CHECK(largest_difference(dx, numeric_gradient(log_softmax, x, dy)) < 1e-7);

    std::vector<float> xf(x.begin(), x.end());
    kernels::softmax_rows<float>(xf.data(), xf.data(), 1, n);
    CHECK(largest_difference(widen(xf), y) < 1e-6);
  }
}

TEST_CASE("softmax survives large values and -inf, and passes NaN on", "[kernels]") {
  std::vector<float> x = {1e30f, -1e30f, 1e30f, -INFINITY};
  kernels::softmax_rows<float>(x.data(), x.data(), 1, 4);
  CHECK(x == std::vector<float>{0.5f, 0, 0.5f, 0});
  x = {1, NAN, 2, 3};
  kernels::softmax_rows<float>(x.data(), x.data(), 1, 4);
  for (float v : x) CHECK(std::isnan(v));
}

TEST_CASE("layer_norm rows and their gradients", "[kernels]") {
  for (int64_t n : {1, 2, 7, 16, 33, 100}) {
    CAPTURE(n);
    const Row x = random_vector<double>(n, 1, 2), gamma = random_vector<double>(n, 2),
              beta = random_vector<double>(n, 3), dy = random_vector<double>(n, 4);
    const Norm out = layer_norm(x, gamma, beta);
    const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(n);
    double var = 0;
    for (double v : x) var += (v - mean) * (v - mean) / static_cast<double>(n);
    for (size_t i = 0; i < x.size(); ++i)
      REQUIRE(out.y[i] ==
              Approx((x[i] - mean) / std::sqrt(var + 1e-5) * gamma[i] + beta[i]).margin(1e-12));
    if (n == 1) continue;  // its gradient is exactly 0, its differences are noise

    Row dx(x.size()), dgamma(x.size()), dbeta(x.size());
    kernels::layer_norm_grad_rows<double>(x.data(), gamma.data(), &out.moments, dy.data(),
                                          dx.data(), 1, n);
    kernels::layer_norm_grad_affine(x.data(), &out.moments, dy.data(), dgamma.data(), dbeta.data(),
                                    1, n);
    CHECK(largest_difference(
              dx, numeric_gradient([&](const Row& v) { return layer_norm(v, gamma, beta).y; }, x,
                                   dy)) < 1e-7);
    CHECK(largest_difference(
              dgamma, numeric_gradient([&](const Row& v) { return layer_norm(x, v, beta).y; },
                                       gamma, dy)) < 1e-7);
    CHECK(largest_difference(dbeta, dy) < 1e-12);
  }
}

TEST_CASE("layer_norm without gamma and beta is with ones and zeros", "[kernels]") {
  const int64_t n = 37;
  const Row x = random_vector<double>(n, 1), dy = random_vector<double>(n, 2);
  const Row ones(x.size(), 1.0), zeros(x.size(), 0.0);
  const Norm with = layer_norm(x, ones, zeros);
  Row y(x.size()), dx(x.size()), dx_with(x.size());
  kernels::RowMoments<double> moments;
  kernels::layer_norm_rows<double>(x.data(), nullptr, nullptr, 1e-5, y.data(), &moments, 1, n);
  CHECK(largest_difference(y, with.y) < 1e-12);
  kernels::layer_norm_grad_rows<double>(x.data(), nullptr, &moments, dy.data(), dx.data(), 1, n);
  kernels::layer_norm_grad_rows<double>(x.data(), ones.data(), &moments, dy.data(), dx_with.data(),
                                        1, n);
  CHECK(largest_difference(dx, dx_with) < 1e-12);
}

TEST_CASE("layer_norm's affine gradient has the same bits at any number of threads", "[kernels]") {
  const int64_t rows = 1001, n = 130;
  const auto x = random_vector<float>(rows * n, 1), dy = random_vector<float>(rows * n, 2);
  const std::vector<kernels::RowMoments<float>> moments(1001, {1, 0.1f, 1.5f, 0});
  const auto d = same_at_any_threads([&] {
    std::vector<float> out(static_cast<size_t>(2 * n));
    kernels::layer_norm_grad_affine(x.data(), moments.data(), dy.data(), out.data(), out.data() + n,
                                    rows, n);
    return out;
  });
  double want = 0;
  for (int64_t r = 0; r < rows; ++r)
    want += static_cast<double>(dy[static_cast<size_t>(r * n)]) *
            (static_cast<double>(x[static_cast<size_t>(r * n)]) - 0.1) * 1.5;
  CHECK(static_cast<double>(d[0]) == Approx(want).epsilon(1e-4));
}

TEST_CASE("cross_entropy rows and their gradient", "[kernels]") {
  for (int64_t classes : {1, 2, 17, 100})
    for (double smoothing : {0.0, 0.1})
      for (bool weighted : {false, true}) {
        const auto n = static_cast<size_t>(classes);
        const int64_t target = classes / 2;
        const Row x = random_vector<double>(classes, 1, 2);
        Row w(n, 1);
        if (weighted)
          for (size_t j = 0; j < n; ++j) w[j] = 0.5 + static_cast<double>(j % 3);
        const double* weight = weighted ? w.data() : nullptr;
        Row top(1), total(1);
        auto loss_of = [&](const Row& z) {
          Row loss(1);
          kernels::cross_entropy_rows<double>(z.data(), &target, weight, smoothing, loss.data(),
                                              top.data(), total.data(), 1, classes);
          return loss;
        };
        const Row z = log_softmax(x);
        const auto t = static_cast<size_t>(target);
        double want = -(1 - smoothing) * w[t] * z[t];
        for (size_t j = 0; j < n; ++j)
          want -= smoothing / static_cast<double>(classes) * w[j] * z[j];
        CHECK(loss_of(x)[0] == Approx(want).margin(1e-12));

        Row dx = x;
        const double dloss = 0.5;
        kernels::cross_entropy_grad_rows<double>(dx.data(), top.data(), total.data(), &target,
                                                 weight, smoothing, &dloss, dx.data(), 1, classes);
        CHECK(largest_difference(dx, numeric_gradient(loss_of, x, {dloss})) < 1e-7);

        Row replaced = x, loss(1);
        kernels::cross_entropy_replace_rows<double>(replaced.data(), &target, weight, smoothing,
                                                    dloss, loss.data(), 1, classes);
        CHECK(loss[0] == Approx(want).margin(1e-12));
        CHECK(largest_difference(replaced, dx) < 1e-14);
      }
}

TEST_CASE("cross_entropy skips a row with a negative target, whatever it holds", "[kernels]") {
  const std::vector<float> x = {NAN, 1, INFINITY};
  const int64_t target = -1;
  const float dloss = 1;
  float loss = 1, top = 1, total = 1;
  kernels::cross_entropy_rows<float>(x.data(), &target, nullptr, 0.1, &loss, &top, &total, 1, 3);
  CHECK(loss == 0);
  std::vector<float> dx(3, 1.0f);
  kernels::cross_entropy_grad_rows<float>(x.data(), &top, &total, &target, nullptr, 0.1, &dloss,
                                          dx.data(), 1, 3);
  CHECK(dx == std::vector<float>{0, 0, 0});
  std::vector<float> replaced = x;
  kernels::cross_entropy_replace_rows<float>(replaced.data(), &target, nullptr, 0.1, dloss, &loss,
                                             1, 3);
  CHECK(loss == 0);
  CHECK(replaced == dx);
}

TEST_CASE("cross_entropy without smoothing ignores logits of -inf", "[kernels]") {
  const std::vector<double> x = {0, -kInf, 0};
  const int64_t target = 0;
  const double dloss = 1;
  double loss = 0, top = 0, total = 0;
  kernels::cross_entropy_rows<double>(x.data(), &target, nullptr, 0.0, &loss, &top, &total, 1, 3);
  CHECK(loss == Approx(std::log(2)));
  std::vector<double> dx(3);
  kernels::cross_entropy_grad_rows<double>(x.data(), &top, &total, &target, nullptr, 0.0, &dloss,
                                           dx.data(), 1, 3);
  CHECK(dx == std::vector<double>{-0.5, 0, 0.5});
  std::vector<double> replaced = x;
  kernels::cross_entropy_replace_rows<double>(replaced.data(), &target, nullptr, 0.0, dloss, &loss,
                                              1, 3);
  CHECK(loss == Approx(std::log(2)));
  CHECK(replaced == dx);
}
