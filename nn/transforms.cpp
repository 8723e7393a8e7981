#include <weft/autograd/graph/node.h>
#include <weft/nn/functional_call.h>
#include <weft/nn/transforms.h>

namespace weft {

TensorFunction of_parameters(Module& module, const ModuleFunction& f) {
  return [&module, f](const Tensors& parameters) {
    const NamedTensors own = module.named_parameters();
    for (size_t i = 0; i < parameters.size() && i < own.size(); ++i)
      if (const Tensor& p = parameters[i]; p.defined() && p.slot())
        node_of(p)->make_extras(p.output_index()).name = own[i].name;
    return functional_call(module, parameters, f);
  };
}

ValueAndGrad value_and_grad(Module& module, const ModuleFunction& f,
                            const TransformOptions& options) {
  return value_and_grad(of_parameters(module, f), module.parameters(), options);
}

Tensors vjp(Module& module, const ModuleFunction& f, const Tensors& dy,
            const TransformOptions& options) {
  return vjp(of_parameters(module, f), module.parameters(), dy, options);
}

Tensors jvp(Module& module, const ModuleFunction& f, const Tensors& v,
            const TransformOptions& options) {
  return jvp(of_parameters(module, f), module.parameters(), v, options);
}

Tensors hvp(Module& module, const ModuleFunction& f, const Tensors& v,
            const TransformOptions& options) {
  return hvp(of_parameters(module, f), module.parameters(), v, options);
}

Tensors gvp(Module& module, const ModuleFunction& f, const TensorFunction& loss, const Tensors& v,
            const TransformOptions& options) {
  return gvp(of_parameters(module, f), loss, module.parameters(), v, options);
}

std::vector<Tensors> jacobian(Module& module, const ModuleFunction& f,
                              const JacobianOptions& options) {
  return jacobian(of_parameters(module, f), module.parameters(), options);
}

std::vector<Tensors> hessian(Module& module, const ModuleFunction& f,
                             const JacobianOptions& options) {
  return hessian(of_parameters(module, f), module.parameters(), options);
}

}  // namespace weft
