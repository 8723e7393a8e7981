// The check of an op on its samples. Public, so that users check their own.
#pragma once

#include <weft/autograd/check/gradcheck.h>
#include <weft/autograd/graph/op.h>

#include <array>
#include <string>
#include <vector>

namespace weft {

/// What check_op() did and found.
struct OpReport {
  int samples = 0;
  std::array<int, 3> gradients = {};  ///< as in GradcheckReport
  int singles = 0;                    ///< float32 numbers compared with float64 ones
  int errors = 0;                     ///< messages compared
  double worst = 0;
  std::vector<std::string> failures;  ///< empty if all is well
};

/// Everything that the samples of an op promise: gradcheck() of each to third order, equality with
/// the composition, float32 against float64 in value and gradient, that graphs are freed with their
/// results, and the error messages. What a sample throws is a failure.
OpReport check_op(const Op& op, const GradcheckOptions& options = {.order = 3});

}  // namespace weft
