// Kernels over rows of equal numbers of any size, whose mean or log-sum-exp is rounded.
#include <weft/core/kernels/cross_entropy.h>
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/kernels/reduce.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <numeric>
#include <vector>

using namespace weft;

TEST_CASE("layer_norm of equal numbers is exactly beta", "[kernels]") {
  auto check = [](auto tag) {
    using T = decltype(tag);
    for (const double value : {0.1, 123456.7, 1e7, 1e20, 3e38})
      for (const int64_t n : {1, 3, 255, 1000}) {
        CAPTURE(value, n, sizeof(T));
        const auto size = static_cast<size_t>(n);
        const std::vector<T> x(size, static_cast<T>(value)), gamma(size, T(2)), dy(size, T(1));
        std::vector<T> beta(size);
        std::iota(beta.begin(), beta.end(), T(-2));
        std::vector<T> y(size), dgamma(size);
        kernels::RowMoments<T> moments;
        kernels::layer_norm_rows<T>(x.data(), gamma.data(), beta.data(), 1e-5, y.data(), &moments,
                                    1, n);
        CHECK(y == beta);
        kernels::layer_norm_grad_affine(x.data(), &moments, dy.data(), dgamma.data(),
                                        static_cast<T*>(nullptr), 1, n);
        CHECK(dgamma == std::vector<T>(size));
      }
  };
  check(float());
  check(double());
}

TEST_CASE("a mean overflows only where it must; the variance of equal numbers is 0", "[kernels]") {
  for (const float value : {0.1f, 1e7f, 3e38f})
    for (const int64_t inner : {1, 3, 200})
      for (const int64_t n : {1, 3, 300}) {
        CAPTURE(value, inner, n);
        const std::vector<float> x(static_cast<size_t>(n * inner), value);
        std::vector<float> y(static_cast<size_t>(inner));
        kernels::var(x.data(), y.data(), 1, n, inner, static_cast<double>(n));
        CHECK(y == std::vector<float>(y.size()));
        kernels::mean(x.data(), y.data(), 1, n, inner);
        for (float v : y) CHECK(v == Approx(value));
      }
}

TEST_CASE("cross_entropy's gradient knows equal logits however large they are", "[kernels]") {
  auto check = [](auto tag) {
    using T = decltype(tag);
    const int64_t target = 0;
    const T dloss = 3;
    for (const double size : {1e5, 1e7, 1e8, -1e8, 3e38}) {
      CAPTURE(size, sizeof(T));
      const std::vector<T> x(3, static_cast<T>(size));
      std::vector<T> dx(3);
      T loss = 0, top = 0, total = 0;
      kernels::cross_entropy_rows<T>(x.data(), &target, nullptr, 0.0, &loss, &top, &total, 1, 3);
      CHECK(static_cast<double>(loss) == Approx(std::log(3)));
      kernels::cross_entropy_grad_rows<T>(x.data(), &top, &total, &target, nullptr, 0.0, &dloss,
                                          dx.data(), 1, 3);
      CHECK(dx == std::vector<T>{-2, 1, 1});
    }
  };
  check(float());
  check(double());
}
