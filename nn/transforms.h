// The transforms of autograd/transforms/functional.h with respect to a module's parameters:
// hvp(model, loss, v) is hvp(f, model.parameters(), v), where f calls `loss` with its inputs in the
// place of the parameters. Vectors and results have one entry for each of parameters(), frozen ones
// included; for some of them only, write f with functional_call().
#pragma once

#include <weft/autograd/transforms/functional.h>
#include <weft/nn/module.h>

#include <concepts>
#include <functional>
#include <utility>
#include <vector>

namespace weft {

/// What is computed with a module: any callable without arguments that returns Tensors or a Tensor.
class ModuleFunction {
 public:
  template <std::invocable F>
  requires(!std::same_as<F, ModuleFunction>) ModuleFunction(F f)  // NOLINT: implicit
      : f_([f = std::move(f)]() mutable { return as_tensors(f()); }) {}

  Tensors operator()() const { return f_(); }

 private:
  static Tensors as_tensors(Tensor t) { return {std::move(t)}; }
  static Tensors as_tensors(Tensors ts) { return ts; }

  std::function<Tensors()> f_;
};

/// `f` as a function of the module's parameters, in their order. Messages name them.
TensorFunction of_parameters(Module& module, const ModuleFunction& f);

ValueAndGrad value_and_grad(Module& module, const ModuleFunction& f,
                            const TransformOptions& options = {});
Tensors vjp(Module& module, const ModuleFunction& f, const Tensors& dy,
            const TransformOptions& options = {});
Tensors jvp(Module& module, const ModuleFunction& f, const Tensors& v,
            const TransformOptions& options = {});
Tensors hvp(Module& module, const ModuleFunction& f, const Tensors& v,
            const TransformOptions& options = {});
/// `f` is the module's part, `loss` takes its results.
Tensors gvp(Module& module, const ModuleFunction& f, const TensorFunction& loss, const Tensors& v,
            const TransformOptions& options = {});
std::vector<Tensors> jacobian(Module& module, const ModuleFunction& f,
                              const JacobianOptions& options = {});
std::vector<Tensors> hessian(Module& module, const ModuleFunction& f,
                             const JacobianOptions& options = {});

}  // namespace weft
