#include <weft/autograd/graph/detail/engine.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/detail/check.h>

namespace weft {

const Tensor& TensorFunction::only(const Tensors& inputs) {
  check(inputs.size() == 1, "a function of one tensor was given {}", inputs.size());
  return inputs[0];
}

Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options) {
  check(!outputs.empty() && !inputs.empty(), "grad: expected outputs and inputs; got {} and {}",
        outputs.size(), inputs.size());
  check(options.grad_outputs.empty() || options.grad_outputs.size() == outputs.size(),
        "grad: expected one grad_output for each of {} outputs; got {}", outputs.size(),
        options.grad_outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    check(inputs[i].defined() && inputs[i].requires_grad(),
          "grad: input {} does not require a gradient", i);
  Tensors roots, weights;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (options.allow_unused && outputs[i].defined() && !outputs[i].requires_grad()) continue;
    roots.push_back(outputs[i]);
    if (!options.grad_outputs.empty()) weights.push_back(options.grad_outputs[i]);
  }
  if (roots.empty()) return Tensors(inputs.size());
  Tensors found =
      run_backward({"grad", roots, weights, inputs, {options.retain_graph, options.create_graph}});
  for (size_t i = 0; i < found.size(); ++i)
    check(found[i].defined() || options.allow_unused,
          "grad: no output depends on input {} of shape {}; set allow_unused if that is meant", i,
          inputs[i].shape());
  return found;
}

Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options) {
  return grad(Tensors{output}, Tensors{input}, options)[0];
}

Tensors vjp(const TensorFunction& f, const Tensors& inputs, const Tensors& dy,
            const TransformOptions& options) {
  return RecordedCall("vjp", f, inputs).vjp(dy, options);
}

}  // namespace weft
