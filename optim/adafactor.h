// Adafactor (Shazeer and Stern 2018, arXiv:1804.04235), as torch.optim.Adafactor: second moments of
// a matrix from the means of its rows R and columns C alone, steps in proportion to the parameter,
// no first moment. With u = t^beta2_decay at step t = 1, 2, ... and RMS the root mean square:
//   rho = min(lr, 1 / sqrt(t)),  alpha = max(eps2, RMS(p)) rho
//   R = R + u (mean over columns of g^2 - R),  C likewise over rows,  V = R C / mean(R)
//   s = g / sqrt(max(V, eps1^2)),  p = (1 - lr weight_decay) p - alpha s / max(1, RMS(s) / d)
// A vector has V = V + u (g^2 - V) itself; of more dims than two the last two are rows and columns.
#pragma once

#include <weft/optim/optimizer.h>

#include <optional>

namespace weft {

struct AdafactorOptions {
  double lr = 1e-2;  ///< the most that a step may be in proportion to the parameter
  double beta2_decay = -0.8;
  std::optional<double> eps1 = {};  ///< the machine epsilon of the dtype if left out
  double eps2 = 1e-3;
  double d = 1;  ///< larger steps, by their root mean square, are made so large
  double weight_decay = 0;
};

/// State: `row_var` [..., rows, 1] and `col_var` [..., 1, columns] of each parameter. A vector's
/// `row_var` is V, and its `col_var` is empty.
class Adafactor : public OptimizerOf<AdafactorOptions> {
 public:
  explicit Adafactor(const NamedTensors& parameters, const AdafactorOptions& options = {})
      : Adafactor(Groups{{parameters, options}}) {}
  /// Error if an option is out of range.
  explicit Adafactor(const Groups& groups);

  Shape buffer_shape(const std::string& buffer, const Shape& parameter) const override;

 private:
  std::vector<std::string> buffer_names(size_t) const override { return {"row_var", "col_var"}; }
  Tensor update(Slot& slot, const Tensor& gradient) const override;
};

}  // namespace weft
