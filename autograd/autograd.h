// Gradients as values: grad(), and the vjp of a function of tensors.
#pragma once

#include <weft/autograd/grad_mode.h>
#include <weft/core/tensor.h>

#include <functional>

namespace weft {

struct GradOptions {
  Tensors grad_outputs = {};  ///< one per output; may be empty if every output has one element
  bool retain_graph = false;  ///< keep what backward needs, so that it can run again
  bool create_graph = false;  ///< record the backward pass itself (implies retain_graph)
  bool allow_unused = false;  ///< an input that no output depends on gives an undefined gradient
};

/// Gradients of the sum of `outputs` (weighted by grad_outputs) with respect to `inputs`, which may
/// be intermediate results. Nothing is accumulated in any tensor's grad().
Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options = {});
/// The same for one output and one input.
Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options = {});

using TensorFunction = std::function<Tensors(const Tensors&)>;

/// Gradients of f at `inputs` for the output gradients `dy` (undefined entries count as zero), cut
/// off from the graph above the inputs: also right where one input depends on another. In grad mode
/// the result is differentiable with respect to `inputs` and `dy`. Entries of inputs that are not
/// floating, or that f does not use, give undefined gradients.
Tensors vjp(const TensorFunction& f, const Tensors& inputs, const Tensors& dy);

}  // namespace weft
