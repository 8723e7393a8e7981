// Integrals as weighted sums.
#pragma once

#include <cstdint>
#include <vector>

namespace weft {

struct Quadrature {
  std::vector<double> nodes;  ///< in ascending order, symmetric around 0
  std::vector<double> weights;
};

/// Gauss and Legendre's rule: the integral over [-1, 1] of a polynomial of degree up to
/// 2 `points` - 1 is sum_i weights_i p(nodes_i). Nodes are the zeros of the Legendre polynomial
/// P_n, found by Newton's iteration; weights 2 / ((1 - x^2) P_n'(x)^2). At least 1 point.
Quadrature gauss_legendre(int64_t points);

}  // namespace weft
