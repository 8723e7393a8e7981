// Gradients as values: grad(), vjp() and the transforms that are a few vjps in a row.
#include <weft/autograd/autograd.h>
#include <weft/autograd/engine.h>
#include <weft/autograd/functional.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/recorded_call.h>
#include <weft/core/check.h>

namespace weft {
namespace {

using Want = RecordedCall::Want;

void check_one_element(const char* who, const Tensor& y) {
  check(y.numel() == 1, "{}: the function must return one element; got shape {}", who, y.shape());
}

// J^T dy, undefined where the function does not depend on an input.
Tensors pull(const RecordedCall& call, const Tensors& dy, const TransformOptions& options) {
  Tensors found = call.vjp(dy);
  if (!options.allow_unused) call.check_reached(found);
  return found;
}

Tensors hessian_times(const char* who, const TensorFunction& f, const Tensors& inputs,
                      const Tensors& v, const TransformOptions& options) {
  check(v.size() == inputs.size(), "{}: expected one vector for each of {} inputs; got {}", who,
        inputs.size(), v.size());
  for (size_t i = 0; i < v.size(); ++i) check_fits(who, "a vector", "input", i, inputs[i], v[i]);
  const TensorFunction gradient = [&](const Tensors& in) {
    const RecordedCall call(who, f, in);
    const Tensor& y = call.output();
    check_one_element(who, y);
    return pull(call, {ones(y.shape(), y.dtype())}, options);
  };
  // The gradient need not depend on an input that f depends on.
  return with_zeros(RecordedCall(who, gradient, inputs).vjp(v), inputs);
}

Tensor only(const char* who, const Tensors& results) {
  check(results.size() == 1, "{}: a function of one tensor must return one; got {}", who,
        results.size());
  return results[0];
}

}  // namespace

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
  return pull(RecordedCall("vjp", f, inputs), dy, options);
}

ValueAndGrad value_and_grad(const TensorFunction& f, const Tensors& inputs,
                            const TransformOptions& options) {
  constexpr const char* kWho = "value_and_grad";
  const RecordedCall call(kWho, f, inputs);
  const Tensor& y = call.output();
  check_one_element(kWho, y);
  const Tensors gradients = pull(call, {ones(y.shape(), y.dtype())}, options);
  return {call.results()[0], with_zeros(gradients, inputs)};
}

Tensors jvp(const TensorFunction& f, const Tensors& inputs, const Tensors& v,
            const TransformOptions& options) {
  return RecordedCall("jvp", f, inputs).jvp(v, options);
}

Tensor jvp(const TensorFunction& f, const Tensor& input, const Tensor& v,
           const TransformOptions& options) {
  return only("jvp", jvp(f, Tensors{input}, Tensors{v}, options));
}

Tensors hvp(const TensorFunction& f, const Tensors& inputs, const Tensors& v,
            const TransformOptions& options) {
  return hessian_times("hvp", f, inputs, v, options);
}

Tensor hvp(const TensorFunction& f, const Tensor& input, const Tensor& v,
           const TransformOptions& options) {
  return hvp(f, Tensors{input}, Tensors{v}, options)[0];
}

Tensors gvp(const TensorFunction& model, const TensorFunction& loss, const Tensors& inputs,
            const Tensors& v, const TransformOptions& options) {
  const RecordedCall call("gvp", model, inputs);
  const Tensors tangents = call.jvp(v, options);
  const Tensors curved = hessian_times("gvp's loss", loss, call.results(), tangents, options);
  return with_zeros(call.vjp(curved), inputs);
}

}  // namespace weft
