// Eigenvalues of a small symmetric matrix (Jacobi 1846).
#pragma once

#include <vector>

namespace weft::detail {

struct SymmetricEigen {
  std::vector<double> values;  ///< the largest first
  std::vector<double> last;    ///< |last element| of the unit eigenvector of each
};

/// By rotations, each of which sets one pair off the diagonal to 0, to rounding. `a` is n x n with
/// finite elements. O(n^3) a sweep; some ten sweeps.
SymmetricEigen symmetric_eigen(std::vector<std::vector<double>> a);

}  // namespace weft::detail
