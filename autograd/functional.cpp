// Gradients as values: grad(), vjp() and what is built on them, over the engine.
#include <weft/autograd/autograd.h>
#include <weft/autograd/engine.h>
#include <weft/autograd/ops.h>
#include <weft/core/check.h>

namespace weft {

Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options) {
  check(!outputs.empty() && !inputs.empty(), "grad: expected outputs and inputs; got {} and {}",
        outputs.size(), inputs.size());
  check(options.grad_outputs.empty() || options.grad_outputs.size() == outputs.size(),
        "grad: expected one grad_output for each of {} outputs; got {}", outputs.size(),
        options.grad_outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    check(inputs[i].defined() && inputs[i].requires_grad(),
          "grad: input {} does not require a gradient", i);
  Tensors found = run_backward({"grad",
                                outputs,
                                options.grad_outputs,
                                inputs,
                                {options.retain_graph, options.create_graph}});
  for (size_t i = 0; i < found.size(); ++i)
    check(found[i].defined() || options.allow_unused,
          "grad: no output depends on input {} of shape {}; set allow_unused if that is meant", i,
          inputs[i].shape());
  return found;
}

Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options) {
  return grad(Tensors{output}, Tensors{input}, options)[0];
}

Tensors vjp(const TensorFunction& f, const Tensors& inputs, const Tensors& dy) {
  const bool differentiable = grad_enabled();
  GradMode record_f(true);
  Tensors fresh, wanted;  // aliases of the inputs: the graph of f ends at them
  std::vector<size_t> where;
  for (const Tensor& x : inputs) {
    const bool floating = x.defined() && is_floating(x.dtype());
    Tensor alias = x;
    if (floating)
      alias = differentiable && x.requires_grad() ? reshape(x, x.shape())
                                                  : x.detach().set_requires_grad();
    fresh.push_back(alias);
    if (!floating) continue;
    where.push_back(fresh.size() - 1);
    wanted.push_back(alias);
  }
  Tensors ys = f(fresh), outputs, gradients;
  check(ys.size() == dy.size(), "vjp: expected one gradient for each of {} outputs; got {}",
        ys.size(), dy.size());
  for (size_t i = 0; i < ys.size(); ++i)
    if (dy[i].defined() && ys[i].requires_grad()) {
      outputs.push_back(ys[i]);
      gradients.push_back(dy[i]);
    }
  Tensors result(inputs.size());
  if (outputs.empty() || wanted.empty()) return result;
  Tensors found =
      run_backward({"vjp", outputs, gradients, wanted, {differentiable, differentiable}});
  for (size_t i = 0; i < where.size(); ++i) result[where[i]] = found[i];
  return result;
}

}  // namespace weft
