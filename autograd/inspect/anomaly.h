// Finding where the first NaN or infinity comes from.
//
//   DetectAnomaly anomaly;
//   loss(model(x)).backward();  // throws where the first one appears
#pragma once

#include <weft/autograd/graph/observer.h>

namespace weft {

/// While it lives, an op of this thread whose result holds NaN or infinity, though its inputs hold
/// none of the same kind, is an Error, and so is a vjp that makes them out of finite gradients. The
/// Error names the op, the module whose forward ran, names given with named(), shapes, the first
/// bad element, and the calls that recorded the op. Every result is read once more and every
/// recorded op keeps its calls: for looking for a fault, not for training.
class DetectAnomaly : public Observer {
 public:
  DetectAnomaly() = default;

  void op_ran(const Op& op, std::span<const Tensor> outputs,
              std::span<const Tensor> inputs) override;
  void recorded_in_vjp(Node& node, std::span<const Tensor> inputs) override;
  void vjp_begins(const Node& node, std::span<const Tensor> dy) override;
  void vjp_ended(const Node& node, std::span<const Tensor> dx) override;

 private:
  static void recorded(Node& node, std::span<const Tensor> inputs);
};

}  // namespace weft
