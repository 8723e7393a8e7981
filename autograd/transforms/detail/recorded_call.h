// One call of a function on inputs of its own, from which vjps are drawn: what all transforms of
// functions are made of. Not public.
#pragma once

#include <weft/autograd/graph/node.h>
#include <weft/autograd/transforms/grad.h>

namespace weft {

/// Whether `t` is there and of a dtype that gradients have.
inline bool differentiable(const Tensor& t) { return t.defined() && is_floating(t.dtype()); }

class RecordedCall {
 public:
  /// Which inputs get gradients: all floating ones, or those that require one.
  enum class Want { floating, requiring };

  /// Calls f on aliases of `inputs`, at which its graph ends. In grad mode what comes out of the
  /// call is differentiable with respect to the inputs themselves. `who` is named in errors;
  /// `outside` are tensors that f reaches by other ways than its inputs, of which vjp() is to give
  /// the gradients too.
  RecordedCall(const char* who, const TensorFunction& f, const Tensors& inputs,
               Want want = Want::floating, Tensors outside = {});

  const Tensors& inputs() const { return fresh_; }
  const Tensors& outputs() const { return outputs_; }
  /// The only output, which must be floating.
  const Tensor& output() const;
  /// The same outputs as the caller of a transform gets them: outside of grad mode without a graph.
  Tensors results() const;

  /// Gradients of the inputs, then of `outside`, for output gradients `dy` (undefined: zero).
  /// Undefined where there are none. Once without `keep`.
  Tensors vjp(const Tensors& dy, bool keep = false) const;
  /// The same; an Error where an input is not used, unless that is allowed.
  Tensors vjp(const Tensors& dy, const TransformOptions& options) const;
  /// The same, recorded: differentiable with respect to dy, outside of grad mode too.
  Tensors recorded_vjp(const Tensors& dy) const { return run(dy, {true, true}); }
  /// Tangents of the outputs for tangents `v` of the inputs (undefined: zero).
  Tensors jvp(const Tensors& v, const TransformOptions& options) const;

  /// An Error that names a floating input without an entry in `gradients`, on which no output
  /// depends, whatever its gradient.
  void check_reached(const Tensors& gradients) const;

  /// Stand-ins for what f reached by other ways than its inputs: tensors that were there before the
  /// call, and leaves, that require gradients. Of their elements nothing is said.
  Tensors reached_outside() const;
  /// What the call saved for backward of the elements of such tensors.
  Tensors saved_of_outside() const;

 private:
  bool is_outside(const Node& node) const;
  /// Recorded by the call.
  std::vector<const Node*> nodes() const;
  Tensors run(const Tensors& dy, BackwardOptions options) const;

  const char* who_;
  bool differentiable_;
  uint64_t since_;  // nodes of the call have at least this sequence number
  Tensors fresh_, outside_, outputs_;
  std::vector<size_t> wanted_;  // indices into fresh_
};

/// An Error unless `given`, if defined, is `what` ("a tangent") that fits `t`, which is floating
/// and the i-th `where` ("input").
void check_fits(const char* who, const char* what, const char* where, size_t i, const Tensor& t,
                const Tensor& given);

/// Refuses a derivative with respect to what the function does not use: input or parameter i.
[[noreturn]] void fail_unused(const char* who, const char* what, size_t i, const Tensor& t);

/// Gradients as they were given, zeros in place of undefined ones of floating inputs.
Tensors with_zeros(Tensors gradients, const Tensors& inputs);

}  // namespace weft
