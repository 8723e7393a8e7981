// One line that tests a layer:
//
//   const ModuleReport r = check_module([] { return FeedForward(8, 16, 0.1, Generator(1)); },
//                                       {randn({2, 3, 8}, generator, kFloat64)});
//
// It checks gradients of inputs and all parameters (autograd/check/gradcheck.h), first order by
// element, second and third along random directions, dropout included; that every parameter is
// reached, and no tensor learns that is not one; that a state loads into another module and gives
// the same bits; that evaluation repeats itself; and float32 against float64, in outputs and
// gradients.
#pragma once

#include <weft/autograd/check/gradcheck.h>
#include <weft/core/error.h>
#include <weft/nn/module.h>

#include <concepts>

namespace weft {

struct ModuleCheckOptions {
  double tolerance = 1e-6;  ///< of gradients, relative to max(1, |gradient|)
  /// First order: random directions per tensor instead of every element (0: every element).
  int directions = 0;
};

struct ModuleReport {
  std::array<int, 3> gradients = {};  ///< numbers compared with differences, by order
  int singles = 0;                    ///< float32 numbers compared with float64 ones
  double worst = 0;                   ///< largest relative error among the gradients
  std::vector<std::string> failures;  ///< empty if all is well
};

namespace detail {

template <class F>
concept ModuleFactory = !std::derived_from<F, Module>;

/// A module whose type is forgotten.
struct ModuleProbe {
  std::shared_ptr<Module> module;
  std::function<Tensors(const Tensors&)> call;
};
using ModuleMaker = std::function<ModuleProbe()>;

ModuleReport check_module(const ModuleMaker& make, const Tensors& inputs,
                          const ModuleCheckOptions& options);

ModuleReport check_module(Module& module, std::function<Tensors(const Tensors&)> call,
                          const Tensors& inputs, const ModuleCheckOptions& options);

template <class Result>
Tensors as_tensors(Result result) {
  std::vector<Tensor*> found;
  collect_tensors(result, found);
  Tensors tensors;
  for (Tensor* t : found) tensors.push_back(*t);
  return tensors;
}

template <class M>
Tensors call_with(M& m, const Tensors& in) {
  if constexpr (requires { m.forward(in[0]); })
    if (in.size() == 1) return as_tensors(m(in[0]));
  if constexpr (requires { m.forward(in[0], in[1]); })
    if (in.size() == 2) return as_tensors(m(in[0], in[1]));
  if constexpr (requires { m.forward(in[0], in[1], in[2]); })
    if (in.size() == 3) return as_tensors(m(in[0], in[1], in[2]));
  throw Error("check_module: forward does not take that many tensors; pass a call of your own");
}

}  // namespace detail

/// `factory()` returns a new module, the same at every call: it seeds its own generator. `call(m,
/// inputs)` runs it and returns a Tensor, Tensors, a tuple or a result with tensors(). Floating
/// inputs (float64) are differentiated, others passed along.
template <detail::ModuleFactory Factory, class Call>
ModuleReport check_module(Factory factory, const Tensors& inputs, Call call,
                          const ModuleCheckOptions& options = {}) {
  auto make = [factory, call] {
    using M = decltype(factory());
    const std::shared_ptr<M> module(new M(factory()));
    return detail::ModuleProbe{module, [module, call](const Tensors& in) {
                                 return detail::as_tensors(call(*module, in));
                               }};
  };
  return detail::check_module(make, inputs, options);
}

/// The same with the inputs as arguments of the module, in order.
template <detail::ModuleFactory Factory>
ModuleReport check_module(Factory factory, const Tensors& inputs) {
  return check_module(factory, inputs,
                      [](auto& m, const Tensors& in) { return detail::call_with(m, in); });
}

/// Checks a module that one has already, in training mode too, and leaves its values, dtypes, mode
/// and gradients as they were. Its generators draw the same numbers in every call meanwhile.
/// Instead of going to a second module, the state is loaded back after all of it was moved.
template <std::derived_from<Module> M, class Call>
ModuleReport check_module(M& module, const Tensors& inputs, Call call,
                          const ModuleCheckOptions& options = {}) {
  return detail::check_module(
      module, [&](const Tensors& in) { return detail::as_tensors(call(module, in)); }, inputs,
      options);
}

template <std::derived_from<Module> M>
ModuleReport check_module(M& module, const Tensors& inputs) {
  return check_module(module, inputs,
                      [](M& m, const Tensors& in) { return detail::call_with(m, in); });
}

}  // namespace weft
