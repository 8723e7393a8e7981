// functional_call: a module run with other tensors in the place of its own.
//
//   Tensors moved = ...;  // one for each of model.parameters()
//   Tensor y = functional_call(model, moved, [&] { return model(x); });
#pragma once

#include <weft/autograd/graph/substitution.h>
#include <weft/nn/module.h>

#include <concepts>
#include <utility>
#include <vector>

namespace weft {
namespace detail {

/// Errors unless the tensors fit the module's.
std::vector<Substitution::Pair> stand_ins(const Module& module, const NamedTensors& tensors);
std::vector<Substitution::Pair> stand_ins(const Module& module, const Tensors& parameters);

template <class Call>
auto call_with(const std::vector<Substitution::Pair>& pairs, Call& call) {
  const Substitution scope(pairs);
  auto result = call();
  std::vector<Tensor*> returned;
  collect_tensors(result, returned);
  for (Tensor* t : returned) *t = as_of_now(*t);
  return result;
}

}  // namespace detail

/// call(), with `tensors` in the place of those parameters and buffers of `module` that they name;
/// the others stay. A tied parameter goes by any of its names, and is replaced everywhere.
/// Gradients flow to the given tensors and not to the module's own, which are back when the call
/// returns or throws. No other thread may use the module meanwhile. Errors: an unknown name,
/// another shape or dtype, two different tensors for tied parameters.
template <std::invocable Call>
auto functional_call(Module& module, const NamedTensors& tensors, Call&& call) {
  return detail::call_with(detail::stand_ins(module, tensors), call);
}

/// The same with one tensor for each of module.parameters(), in their order.
template <std::invocable Call>
auto functional_call(Module& module, const Tensors& parameters, Call&& call) {
  return detail::call_with(detail::stand_ins(module, parameters), call);
}

}  // namespace weft
