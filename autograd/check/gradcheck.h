// The gradient check: analytic gradients against central finite differences, to third order, in
// float64. Public, so that users check their own functions.
//
// For y = f(x) and a random cotangent c, the scalar <c, y> has the gradient that backward gives,
// and
// (<c, f(x + h e)> - <c, f(x - h e)>) / 2h numerically. Cotangents are random because ones compare
// 0 with 0 for softmax. Order n checks the gradient of order n - 1, as a function of x and of the
// cotangents, in the same way.
#pragma once

#include <weft/autograd/graph/samples.h>

#include <array>

namespace weft {

struct GradcheckOptions {
  double tolerance = 1e-6;  ///< allowed error, relative to max(1, |gradient|)
  double step = 1e-5;       ///< h
  /// Orders that are checked: 1 to 3. The third is checked along random directions in all inputs at
  /// once, and input by input only where that fails.
  int order = 2;
  /// Of first and second order: check so many random directions per input instead of every element
  /// (0: every element).
  std::array<int, 2> directions = {0, 0};
  std::vector<std::string> names = {};  ///< of the inputs in messages; else "input 0" and so on
  uint64_t seed = 1;
};

struct GradcheckReport {
  std::array<int, 3> gradients = {};  ///< numbers compared with differences, by order
  double worst = 0;                   ///< largest relative error seen among them
  std::string failure;                ///< empty if all is well; else the worst entry, as
                        ///< "softmax/last dim: input 0 at [1, 3]: analytic 0.0412, numeric 0.0398"
};

/// Checks f at `inputs`: floating ones (float64) are differentiated, others, undefined ones too,
/// passed along. `name` begins the failure text. Beside the differences it checks that
/// - backward twice gives the same bits,
/// - an output gradient that is missing counts as zeros,
/// - inputs and output gradients that are not contiguous (every second element of a larger tensor,
///   or one row stretched by expand) give what contiguous ones give,
/// - jvp is the transpose of vjp, for f (forward) and for its gradient (forward over reverse).
/// f must compute the same each time: a generator is to be seeded within, and two calls that differ
/// are a failure. An order that fails is the last that is checked. Errors thrown by f pass through;
/// an undefined output, or nothing to differentiate, is an Error too.
GradcheckReport gradcheck(const std::string& name, const SampleFunction& f, const Tensors& inputs,
                          const GradcheckOptions& options = {});

}  // namespace weft
