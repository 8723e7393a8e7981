// The gradient check: analytic gradients against central finite differences, first and second
// order, in float64. Public, so that users check their own ops and layers.
//
// For y = f(x) and a random cotangent c, the scalar <c, y> has the gradient that backward gives,
// and
// (<c, f(x + h e)> - <c, f(x - h e)>) / 2h numerically. Cotangents are random because ones compare
// 0 with 0 for softmax. Second order checks the gradient, as a function of x and c, in the same
// way.
#pragma once

#include <weft/autograd/op.h>
#include <weft/autograd/samples.h>

namespace weft {

struct GradcheckOptions {
  double tolerance = 1e-6;  ///< allowed error, relative to max(1, |gradient|)
  double step = 1e-5;       ///< h
  bool second_order = true;
  /// Check this many random directions per input instead of every element (0: every element).
  int directions = 0;
  uint64_t seed = 1;
};

struct GradcheckReport {
  int gradients = 0;    ///< numbers compared, both orders
  double worst = 0;     ///< largest relative error seen
  std::string failure;  ///< empty if all is well; else the worst entry, as
                        ///< "softmax/last dim: input 0 at [1, 3]: analytic 0.0412, numeric 0.0398"
};

/// Checks f at `inputs`: floating ones (float64) are differentiated, others passed along. `name`
/// begins the failure text. Errors thrown by f pass through.
GradcheckReport gradcheck(const std::string& name, const SampleFunction& f, const Tensors& inputs,
                          const GradcheckOptions& options = {});

/// Everything that the samples of an op promise: gradients of both orders, equality with the
/// composition, float32 against float64, and the error messages. Empty if all is well.
struct OpReport {
  int samples = 0, gradients = 0, errors = 0;
  double worst = 0;
  std::vector<std::string> failures;
};
OpReport check_op(const Op& op, const GradcheckOptions& options = {});

}  // namespace weft
