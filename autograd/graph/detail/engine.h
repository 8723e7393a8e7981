// Backward through a graph: nodes run in falling order of sequence number, each when all gradients
// of its outputs have arrived.
#pragma once

#include <weft/autograd/graph/node.h>

namespace weft {

struct BackwardRequest {
  const char* who;  // named in errors
  std::span<const Tensor> outputs;
  std::span<const Tensor> gradients;  // of the outputs; empty or undefined: ones
  std::span<const Tensor> inputs;     // capture these gradients; empty: accumulate into leaves
  BackwardOptions options;
  /// Gradients go no further than to the inputs, and are captured before any hook sees them.
  bool stop_at_inputs = false;
};

/// The gradients of request.inputs, undefined where no output depends on one.
Tensors run_backward(const BackwardRequest& request);

}  // namespace weft
