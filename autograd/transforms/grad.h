// Gradients as values: grad(), and the vjp of a function of tensors.
#pragma once

#include <weft/autograd/graph/grad_mode.h>
#include <weft/core/tensor.h>

#include <concepts>
#include <functional>
#include <utility>

namespace weft {

struct GradOptions {
  Tensors grad_outputs = {};  ///< one per output; may be empty if every output has one element
  bool retain_graph = false;  ///< keep what backward needs, so that it can run again
  bool create_graph = false;  ///< record the backward pass itself (implies retain_graph)
  /// An input that no output depends on gives an undefined gradient, and outputs may need none.
  bool allow_unused = false;
};

/// Gradients of the sum of `outputs` (weighted by grad_outputs) with respect to `inputs`, which may
/// be intermediate results. Nothing is accumulated in any tensor's grad().
Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options = {});
/// The same for one output and one input.
Tensor grad(const Tensor& output, const Tensor& input, const GradOptions& options = {});

/// A function of tensors: any callable that takes `const Tensors&`, or one `const Tensor&`, and
/// returns Tensors or a Tensor.
class TensorFunction {
 public:
  template <class F>
  requires(!std::same_as<F, TensorFunction> &&
           (std::invocable<const F&, const Tensors&> || std::invocable<const F&, const Tensor&>))
      TensorFunction(F f)  // NOLINT: implicit
      : f_([f = std::move(f)](const Tensors& in) {
          if constexpr (std::invocable<const F&, const Tensors&>)
            return as_tensors(f(in));
          else
            return as_tensors(f(only(in)));
        }) {}

  Tensors operator()(const Tensors& inputs) const { return f_(inputs); }

 private:
  static Tensors as_tensors(Tensor t) { return {std::move(t)}; }
  static Tensors as_tensors(Tensors ts) { return ts; }
  static const Tensor& only(const Tensors& inputs);

  std::function<Tensors(const Tensors&)> f_;
};

struct TransformOptions {
  /// No Error where no output of the function depends on a floating input, which is mostly a tensor
  /// that the function holds and should have taken.
  bool allow_unused = false;
};

/// Gradients of f at `inputs` for the output gradients `dy` (undefined entries count as zero), cut
/// off from the graph above the inputs: also right where one input depends on another. In grad mode
/// the result is differentiable with respect to `inputs` and `dy`. Entries of inputs that are not
/// floating, or that f is allowed not to use, give undefined gradients.
Tensors vjp(const TensorFunction& f, const Tensors& inputs, const Tensors& dy,
            const TransformOptions& options = {});

}  // namespace weft
