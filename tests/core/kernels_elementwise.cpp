// Elementwise kernels against the C library in double, over lengths around the vector width.
#include <weft/core/kernels/elementwise.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

using namespace weft;
using kernels::Binary;
using kernels::Compare;
using kernels::Unary;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

struct Case {
  const char* name;
  Unary op;
  std::function<double(double)> exact;
  double low, high;  // where it is swept
  double tolerance;  // relative to max(|y|, floor)
  double floor = 0;
};

double cdf(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"abs", Unary::abs, [](double x) { return std::abs(x); }, -5, 5, 0},
      {"sqrt", Unary::sqrt, [](double x) { return std::sqrt(x); }, 0, 9, 1e-7},
      {"rsqrt", Unary::rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.01, 9, 2e-7},
      {"exp", Unary::exp, [](double x) { return std::exp(x); }, -87, 88.7, 2e-7},
      {"exp, denormal", Unary::exp, [](double x) { return std::exp(x); }, -106, -87, 1, 1.5e-45},
      {"log", Unary::log, [](double x) { return std::log(x); }, 1e-3, 10, 2e-7},
      {"log, wide", Unary::log, [](double x) { return std::log(x); }, 1, 3e38, 1e-7},
      {"tanh", Unary::tanh, [](double x) { return std::tanh(x); }, -12, 12, 3e-7},
      {"tanh, small", Unary::tanh, [](double x) { return std::tanh(x); }, -1e-3, 1e-3, 2e-7},
      {"sigmoid", Unary::sigmoid, sigmoid, -85, 40, 4e-7},
      {"relu", Unary::relu, [](double x) { return std::max(x, 0.0); }, -5, 5, 0},
      {"gelu", Unary::gelu, [](double x) { return x * cdf(x); }, -8, 8, 3e-7, 1},
      {"gelu_tanh", Unary::gelu_tanh,
       [](double x) {
         return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
       },
       -8, 8, 4e-7, 1},
      {"silu", Unary::silu, [](double x) { return x * sigmoid(x); }, -80, 80, 4e-7},
      {"softplus", Unary::softplus, [](double x) { return std::log1p(std::exp(x)); }, -80, 80,
       4e-7},
  };
  return all;
}

template <class T>
std::vector<T> sweep(double low, double high, int64_t n) {
  std::vector<T> x(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    x[static_cast<size_t>(i)] =
        static_cast<T>(low + (high - low) * static_cast<double>(i) / static_cast<double>(n - 1));
  return x;
}

template <class T>
std::vector<T> run_unary(Unary op, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  kernels::unary<T>(op, x.data(), 1, y.data(), static_cast<int64_t>(x.size()));
  return y;
}

template <class T>
double largest_error(const Case& c) {
  const auto x = sweep<T>(c.low, c.high, 100003);
  const auto y = run_unary(c.op, x);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double want = c.exact(static_cast<double>(x[i]));
    const double error = std::abs(static_cast<double>(y[i]) - want);
    worst = std::max(worst, error == 0 ? 0 : error / std::max(std::abs(want), c.floor));
  }
  return worst;
}

float at(Unary op, float x) { return run_unary(op, std::vector<float>{x})[0]; }

template <class T>
std::vector<T> run_binary(Binary op, const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> y(a.size());
  kernels::binary<T>(op, a.data(), 1, b.data(), 1, y.data(), static_cast<int64_t>(a.size()));
  return y;
}

}  // namespace

TEST_CASE("unary functions are accurate over their range", "[kernels]") {
  for (const Case& c : cases()) {
    INFO(c.name);
    CHECK(largest_error<float>(c) <= c.tolerance);
    CHECK(largest_error<double>(c) <= std::min(c.tolerance, 1e-12));
  }
}

TEST_CASE("unary functions at their limits", "[kernels]") {
  CHECK(at(Unary::exp, -kInf) == 0);
  CHECK(at(Unary::exp, kInf) == kInf);
  CHECK(at(Unary::exp, 0) == 1);
  CHECK(at(Unary::exp, 88.8f) == kInf);
  CHECK(at(Unary::log, 0) == -kInf);
  CHECK(at(Unary::log, 1) == 0);
  CHECK(at(Unary::log, kInf) == kInf);
  CHECK(std::isnan(at(Unary::log, -1)));
  CHECK(at(Unary::log, 1e-40f) == Approx(std::log(1e-40)));
  CHECK(at(Unary::tanh, kInf) == 1);
  CHECK(at(Unary::tanh, -kInf) == -1);
  CHECK(at(Unary::sigmoid, -kInf) == 0);
  CHECK(at(Unary::sigmoid, kInf) == 1);
  CHECK(at(Unary::gelu, 30) == 30);
  CHECK(at(Unary::gelu, -30) == 0);
  CHECK(at(Unary::sign, -3) == -1);
  CHECK(at(Unary::sign, 0) == 0);
  CHECK(std::signbit(at(Unary::abs, -0.0f)) == false);
  for (Unary op : {Unary::abs, Unary::exp, Unary::log, Unary::tanh, Unary::sigmoid, Unary::relu,
                   Unary::gelu, Unary::gelu_tanh, Unary::silu, Unary::softplus})
    CHECK(std::isnan(at(op, NAN)));
}

TEST_CASE("unary works at every length and stride", "[kernels]") {
  const auto x = sweep<float>(-2, 2, 200);
  for (int64_t n = 0; n <= 70; ++n)
    for (int64_t stride : {0, 1, 2}) {
      std::vector<float> y(static_cast<size_t>(n + 1), 7.0f);
      kernels::unary<float>(Unary::tanh, x.data(), stride, y.data(), n);
      for (int64_t i = 0; i < n; ++i) {
        const auto from = static_cast<size_t>(i * stride);
        REQUIRE(y[static_cast<size_t>(i)] == Approx(std::tanh(x[from])));
      }
      REQUIRE(y[static_cast<size_t>(n)] == 7.0f);
    }
}

TEST_CASE("unary_grad is the slope of unary", "[kernels]") {
  const double step = 1e-6;
  for (Unary op : {Unary::tanh, Unary::sigmoid, Unary::relu, Unary::gelu, Unary::gelu_tanh,
                   Unary::silu, Unary::softplus}) {
    const auto x = sweep<double>(-4, 4, 100);  // 0 is not among them
    auto above = x, below = x;
    for (double& v : above) v += step;
    for (double& v : below) v -= step;
    const auto y = run_unary(op, x), high = run_unary(op, above), low = run_unary(op, below);
    const std::vector<double> dy(x.size(), 3.0);
    std::vector<double> dx(x.size());
    kernels::unary_grad<double>(op, x.data(), y.data(), dy.data(), dx.data(), 100);
    std::vector<float> xf(x.begin(), x.end()), yf(y.begin(), y.end()), g(dy.begin(), dy.end());
    kernels::unary_grad<float>(op, xf.data(), yf.data(), g.data(), g.data(), 100);
    CAPTURE(static_cast<int>(op));
    for (size_t i = 0; i < x.size(); ++i) {
      REQUIRE(dx[i] == Approx(3 * (high[i] - low[i]) / (2 * step)).margin(1e-8));
      REQUIRE(static_cast<double>(g[i]) == Approx(dx[i]).margin(2e-6));
    }
  }
}

TEST_CASE("binary operations with every stride", "[kernels]") {
  const std::vector<double> a = sweep<double>(0.5, 3, 300), b = sweep<double>(-2, 2, 300);
  const std::vector<std::function<double(double, double)>> exact = {
      [](double u, double v) { return u + v; },
      [](double u, double v) { return u - v; },
      [](double u, double v) { return u * v; },
      [](double u, double v) { return u / v; },
      [](double u, double v) { return std::max(u, v); },
      [](double u, double v) { return std::min(u, v); },
      [](double u, double v) { return std::pow(u, v); }};
  for (int op = 0; op < 7; ++op)
    for (int64_t sa : {0, 1, 3})
      for (int64_t sb : {0, 1, 2})
        for (int64_t n : {0, 1, 7, 16, 33, 100}) {
          std::vector<double> y(static_cast<size_t>(n));
          kernels::binary<double>(static_cast<Binary>(op), a.data(), sa, b.data(), sb, y.data(), n);
          for (int64_t i = 0; i < n; ++i)
            REQUIRE(y[static_cast<size_t>(i)] ==
                    Approx(exact[static_cast<size_t>(op)](a[static_cast<size_t>(i * sa)],
                                                          b[static_cast<size_t>(i * sb)])));
        }
}

TEST_CASE("maximum and minimum return NaN if either is", "[kernels]") {
  const std::vector<float> a = {NAN, 1, 2, NAN, -kInf}, b = {1, NAN, 3, NAN, kInf};
  for (Binary op : {Binary::maximum, Binary::minimum}) {
    const auto y = run_binary(op, a, b);
    CHECK(std::isnan(y[0]));
    CHECK(std::isnan(y[1]));
    CHECK(y[2] == (op == Binary::maximum ? 3 : 2));
    CHECK(std::isnan(y[3]));
    CHECK(y[4] == (op == Binary::maximum ? kInf : -kInf));
  }
}

TEST_CASE("int64 arithmetic wraps around and never traps", "[kernels]") {
  const std::vector<int64_t> a = {7, -7, kMin, 5, 3}, b = {2, 2, -1, 0, 4};
  CHECK(run_binary(Binary::div, a, b) == std::vector<int64_t>{3, -3, kMin, 0, 0});
  CHECK(run_binary(Binary::add, a, b) == std::vector<int64_t>{9, -5, -(kMin + 1), 5, 7});
  CHECK(run_binary(Binary::pow, a, b) == std::vector<int64_t>{49, 49, 0, 1, 81});
}

TEST_CASE("compare and where", "[kernels]") {
  const std::vector<float> a = {1, 2, 3, NAN}, b = {2, 2, 2, 2};
  bool y[4];
  auto bits = [&](Compare op) {
    kernels::compare<float>(op, a.data(), 1, b.data(), 1, y, 4);
    return std::vector<int>(y, y + 4);
  };
  CHECK(bits(Compare::eq) == std::vector<int>{0, 1, 0, 0});
  CHECK(bits(Compare::ne) == std::vector<int>{1, 0, 1, 1});
  CHECK(bits(Compare::lt) == std::vector<int>{1, 0, 0, 0});
  CHECK(bits(Compare::le) == std::vector<int>{1, 1, 0, 0});
  CHECK(bits(Compare::gt) == std::vector<int>{0, 0, 1, 0});
  CHECK(bits(Compare::ge) == std::vector<int>{0, 1, 1, 0});

  const float zero = 0;
  std::vector<float> out(4);
  kernels::where<float>(y, 1, a.data(), 1, &zero, 0, out.data(), 4);
  CHECK(out == std::vector<float>{0, 2, 3, 0});
  kernels::where<float>(y, 1, a.data(), 1, b.data(), 1, out.data(), 4);
  CHECK(out == std::vector<float>{2, 2, 3, 2});
}

TEST_CASE("add_inplace and scale", "[kernels]") {
  const auto x = sweep<float>(0, 36, 37);
  std::vector<float> y(37, 2.0f);
  kernels::add_inplace<float>(y.data(), x.data(), 37);
  kernels::scale<float>(2.0f, y.data(), y.data(), 37);
  for (size_t i = 0; i < 37; ++i) REQUIRE(y[i] == 4 + 2 * x[i]);
}

TEST_CASE("all_finite sees a NaN or an infinity anywhere, and nothing between steps", "[kernels]") {
  for (int64_t n : {1, 7, 16, 31, 32, 33, 64, 100})
    for (int64_t step : {1, 2})
      for (const float bad : {kInf, -kInf, std::nanf("")}) {
        CAPTURE(n, step, bad);
        std::vector<float> x(static_cast<size_t>(n * step), 3e38f);
        if (step == 2)
          for (size_t i = 1; i < x.size(); i += 2) x[i] = bad;
        REQUIRE(kernels::all_finite<float>(x.data(), step, n));
        for (size_t i = 0; i < x.size(); i += static_cast<size_t>(step)) {
          x[i] = bad;
          REQUIRE(!kernels::all_finite<float>(x.data(), step, n));
          x[i] = -3e38f;
        }
      }
}
