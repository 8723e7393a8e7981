// Kernels that move data (gather, scatter, strided copies, dropout) and that update parameters.
#include <weft/core/kernels/dropout.h>
#include <weft/core/kernels/gather.h>
#include <weft/core/kernels/optimizer.h>
#include <weft/core/parallel.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <numeric>
#include <vector>

using namespace weft;

namespace {

template <class T>
std::vector<T> counting(int64_t n) {
  std::vector<T> v(static_cast<size_t>(n));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<T>(static_cast<int64_t>(i % 251));
  return v;
}

/// Element by element, by the meaning of strides.
template <class T>
std::vector<T> copy_slowly(const T* x, const Shape& shape, const Shape& strides) {
  std::vector<T> y;
  for (int64_t r = 0; r < shape.numel(); ++r) {
    int64_t at = 0, rest = r;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      at += rest % shape[i] * strides[i];
      rest /= shape[i];
    }
    y.push_back(x[at]);
  }
  return y;
}

template <class T>
void check_copies() {
  const auto x = counting<T>(400000);
  const std::vector<std::pair<Shape, Shape>> views = {
      {{}, {}},
      {{5}, {1}},
      {{5}, {0}},
      {{0, 3}, {3, 1}},
      {{3, 0}, {1, 3}},
      {{7, 9}, {1, 7}},                 // transposed
      {{130, 270}, {1, 130}},           // transposed, larger than any tile
      {{3, 65, 33}, {65 * 33, 1, 65}},  // a batch of transposes
      {{2, 3, 4, 5}, {60, 5, 15, 1}},   // heads
      {{4, 1, 6}, {6, 77, 1}},          // a size-1 dim with any stride
      {{3, 4, 2}, {0, 2, 1}},           // broadcast
      {{50, 40}, {100, 2}},             // every second column
      {{2, 2, 2, 2, 2, 2, 2, 2}, {1, 2, 4, 8, 16, 32, 64, 128}},
  };
  for (const auto& view : views) {
    const Shape &shape = view.first, &strides = view.second;
    CAPTURE(to_string(shape), to_string(strides));
    std::vector<T> y(static_cast<size_t>(shape.numel()) + 1, T(99));
    kernels::copy_strided(x.data(), shape, strides, y.data());
    CHECK(y.back() == T(99));
    y.pop_back();
    REQUIRE(y == copy_slowly(x.data(), shape, strides));
  }
}

}  // namespace

TEST_CASE("copy_strided follows the strides", "[kernels]") {
  check_copies<float>();
  check_copies<double>();
  check_copies<int64_t>();
}

TEST_CASE("copy_strided copies bools and walks backwards", "[kernels]") {
  const bool x[6] = {true, false, false, true, true, false};
  bool y[6];
  kernels::copy_strided(x, {3, 2}, {1, 3}, y);  // of [[1, 0, 0], [1, 1, 0]]
  CHECK(std::vector<int>(y, y + 6) == std::vector<int>{1, 1, 0, 1, 0, 0});
  const std::vector<float> v = {1, 2, 3};
  std::vector<float> back(3);
  kernels::copy_strided(v.data() + 2, {3}, {-1}, back.data());
  CHECK(back == std::vector<float>{3, 2, 1});
}

TEST_CASE("scatter_strided undoes copy_strided", "[kernels]") {
  const auto x = counting<float>(130 * 270);
  std::vector<float> y(x.size()), back(x.size());
  const Shape shape = {270, 130}, strides = {1, 270};
  kernels::copy_strided(x.data(), shape, strides, y.data());
  kernels::scatter_strided(y.data(), shape, strides, back.data());
  CHECK(back == x);
}

TEST_CASE("gather and scatter of rows", "[kernels]") {
  const auto table = counting<float>(12);  // [4, 3]
  const std::vector<int64_t> index = {3, 0, 3};
  std::vector<float> y(9);
  kernels::gather_rows(table.data(), index.data(), y.data(), 3, 3);
  CHECK(y == std::vector<float>{9, 10, 11, 0, 1, 2, 9, 10, 11});

  std::vector<float> sums(12);
  kernels::scatter_add_rows(y.data(), index.data(), sums.data(), 3, 3);
  CHECK(sums == std::vector<float>{0, 1, 2, 0, 0, 0, 0, 0, 0, 18, 20, 22});
}

TEST_CASE("dropout keeps what the philox words say", "[kernels]") {
  const RandomKey key{12345, 7};
  const int64_t n = 1003;
  const double p = 0.3;
  const std::vector<float> ones(static_cast<size_t>(n), 1.0f);
  std::vector<float> y(static_cast<size_t>(n));
  kernels::dropout<float>(ones.data(), y.data(), 0, n, p, key);
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t word =
        philox(key.seed, key.offset + static_cast<uint64_t>(i / 4))[static_cast<size_t>(i % 4)];
    const bool keep = word >= static_cast<uint64_t>(p * 0x1p32);
    REQUIRE(y[static_cast<size_t>(i)] == (keep ? static_cast<float>(1 / 0.7) : 0.0f));
  }
}

TEST_CASE("dropout gives one mask in any blocking and dtype", "[kernels]") {
  const RandomKey key{99, (uint64_t{1} << 32) - 20};  // the counter's carry is crossed
  const int64_t n = 500;
  const std::vector<double> ones(static_cast<size_t>(n), 1.0);
  std::vector<double> whole(ones.size()), parts(ones.size());
  kernels::dropout<double>(ones.data(), whole.data(), 0, n, 0.5, key);
  for (int64_t step : {1, 3, 7, 64, 101}) {
    for (int64_t i = 0; i < n; i += step)
      kernels::dropout<double>(ones.data() + i, parts.data() + i, i, std::min(step, n - i), 0.5,
                               key);
    REQUIRE(parts == whole);
  }
  const std::vector<float> ones_f(ones.size(), 1.0f);
  std::vector<float> y(ones.size());
  kernels::dropout<float>(ones_f.data(), y.data(), 0, n, 0.5, key);
  CHECK(std::vector<double>(y.begin(), y.end()) == whole);
}

TEST_CASE("dropout's rate is p, and 0 and 1 are exact", "[kernels]") {
  const int64_t n = 100000;
  std::vector<float> y(static_cast<size_t>(n), 1.0f);
  kernels::dropout<float>(y.data(), y.data(), 0, n, 0.1, RandomKey{1, 0});
  const auto zeros = std::count(y.begin(), y.end(), 0.0f);
  CHECK(std::abs(static_cast<double>(zeros) - 0.1 * static_cast<double>(n)) < 5 * 95);  // 5 sigma
  std::vector<float> x(100, 2.0f);
  kernels::dropout<float>(x.data(), x.data(), 0, 100, 0.0, RandomKey{1, 0});
  CHECK(x == std::vector<float>(100, 2.0f));
  kernels::dropout<float>(x.data(), x.data(), 0, 100, 1.0, RandomKey{1, 0});
  CHECK(x == std::vector<float>(100, 0.0f));
}

TEST_CASE("sgd_update follows its definition", "[kernels]") {
  std::vector<double> p = {1, -2}, g = {0.5, 1}, v = {77, 77};
  kernels::SgdStep step;
  step.lr = 0.1;
  step.weight_decay = 0.01;
  kernels::sgd_update<double>(step, p.data(), g.data(), nullptr, 2);
  CHECK(p[0] == Approx(1 - 0.1 * (0.5 + 0.01)));
  step.momentum = 0.9;
  step.nesterov = true;
  p = {1, -2};
  kernels::sgd_update<double>(step, p.data(), g.data(), v.data(), 2);
  const double d = 0.5 + 0.01 * 1;
  CHECK(v[0] == Approx(d));
  CHECK(p[0] == Approx(1 - 0.1 * (d + 0.9 * d)));
  step.first = false;
  step.nesterov = false;
  step.dampening = 0.5;
  step.grad_scale = 2;
  const double p1 = p[0], d2 = 2 * 0.5 + 0.01 * p1;
  kernels::sgd_update<double>(step, p.data(), g.data(), v.data(), 2);
  CHECK(v[0] == Approx(0.9 * d + 0.5 * d2));
  CHECK(p[0] == Approx(p1 - 0.1 * v[0]));
}

TEST_CASE("adam_update follows its definition", "[kernels]") {
  for (bool decoupled : {false, true})
    for (bool amsgrad : {false, true}) {
      std::vector<double> p(19, 1.0), g(19, 0.5), m(19, 0.1), v(19, 0.2), top(19, 0.3);
      kernels::AdamStep s;
      s.lr = 0.1;
      s.weight_decay = 0.01;
      s.decoupled = decoupled;
      s.step = 3;
      s.grad_scale = 0.5;
      kernels::adam_update<double>(s, p.data(), g.data(), m.data(), v.data(),
                                   amsgrad ? top.data() : nullptr, 19);
      const double start = decoupled ? 1 - 0.1 * 0.01 : 1;
      const double d = 0.25 + (decoupled ? 0 : 0.01);
      const double m1 = 0.9 * 0.1 + 0.1 * d, v1 = 0.999 * 0.2 + 0.001 * d * d;
      const double root = std::sqrt((amsgrad ? 0.3 : v1) / (1 - std::pow(0.999, 3)));
      const double want = start - 0.1 / (1 - std::pow(0.9, 3)) * m1 / (root + 1e-8);
      for (size_t i = 0; i < p.size(); ++i) {
        REQUIRE(m[i] == Approx(m1));
        REQUIRE(v[i] == Approx(v1));
        REQUIRE(p[i] == Approx(want).epsilon(1e-12));
      }
    }
}
