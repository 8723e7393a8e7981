// Gauss and Legendre's rule against its closed forms, and on the polynomials that it must get
// right.
#include <weft/nn/inspect/quadrature.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <cmath>
#include <vector>

using namespace weft;

namespace {

void check_rule(const Quadrature& q, const std::vector<double>& nodes,
                const std::vector<double>& weights) {
  REQUIRE(q.nodes.size() == nodes.size());
  REQUIRE(q.weights.size() == nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    CHECK(std::abs(q.nodes[i] - nodes[i]) < 1e-14);
    CHECK(std::abs(q.weights[i] - weights[i]) < 1e-14);
  }
}

}  // namespace

TEST_CASE("Gauss and Legendre's nodes and weights are the known ones") {
  check_rule(gauss_legendre(1), {0}, {2});
  const double two = 1 / std::sqrt(3.0), three = std::sqrt(0.6);
  check_rule(gauss_legendre(2), {-two, two}, {1, 1});
  check_rule(gauss_legendre(3), {-three, 0, three}, {5.0 / 9, 8.0 / 9, 5.0 / 9});
  const double inner = std::sqrt(5 - 2 * std::sqrt(10.0 / 7)) / 3,
               outer = std::sqrt(5 + 2 * std::sqrt(10.0 / 7)) / 3,
               light = (322 - 13 * std::sqrt(70.0)) / 900,
               heavy = (322 + 13 * std::sqrt(70.0)) / 900;
  check_rule(gauss_legendre(5), {-outer, -inner, 0, inner, outer},
             {light, heavy, 128.0 / 225, heavy, light});
}

TEST_CASE("n points integrate polynomials of degree up to 2 n - 1") {
  for (const int64_t points : {1, 2, 3, 4, 5, 8, 16, 33, 64, 200}) {
    const Quadrature q = gauss_legendre(points);
    CHECK(std::is_sorted(q.nodes.begin(), q.nodes.end()));
    for (int64_t degree = 0; degree < 2 * points; ++degree) {
      double sum = 0;
      for (size_t i = 0; i < q.nodes.size(); ++i)
        sum += q.weights[i] * std::pow(q.nodes[i], static_cast<double>(degree));
      const double exact = degree % 2 == 1 ? 0 : 2 / static_cast<double>(degree + 1);
      CHECK(std::abs(sum - exact) < 1e-13);
    }
  }
  CHECK(message_of([] { gauss_legendre(0); }) ==
        "gauss_legendre: expected at least 1 point; got 0");
}
