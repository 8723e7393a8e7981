// Recording ops. An op is a function on tensors that computes its result with kernels and hands
// record() a vjp (vector-Jacobian product): a function from the gradient of the result to the
// gradients of the inputs, itself written in recorded ops, so that gradients have gradients.
//
//   extern const Op kTanh;
//   Tensor tanh(const Tensor& x) {
//     Tensor y = ...;
//     return record(kTanh, y, {x}, [y = save_output(y)](Backward& b) {  // y' = 1 - y^2
//       return b.dy() * (1 - b.saved(y) * b.saved(y));
//     });
//   }
//   const Op kTanh{"tanh", [](Samples& s) { s.add("plain", {s.normal({3, 5})}, ...); }};
//
// A vjp with something faster than ops asks first_order(); for more it is a formula in ops, or the
// vjp of a composition that the op equals:
//   if (b.first_order()) return one_pass(b.saved(x), b.dy());
//   return vjp(composition, {b.saved(x)}, {b.dy()})[0];
#pragma once

#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/graph/node.h>
#include <weft/autograd/graph/observer.h>

#include <array>
#include <iterator>
#include <optional>
#include <type_traits>

namespace weft {

class Samples;

/// An entry of the op registry: a name that no other op has, and samples on which the gradient
/// check runs. Recording demands an Op and an Op demands samples, so no op escapes the check.
struct Op {
  Op(const char* op_name, void (*make_samples)(Samples&));
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  const char* const name;
  void (*const samples)(Samples&);
};

/// Every op of the program, in order of name. Ops register when they are constructed and stay.
std::vector<const Op*> registered_ops();

/// A tensor kept for backward. Reading it checks that it was not written to in between. What a vjp
/// keeps, it keeps as Saved, so that reports of memory find it.
class Saved {
 public:
  Saved() = default;
  /// While a node's saved tensors are listed, a copy enters itself in that list.
  Saved(const Saved& o);
  Saved(Saved&&) = default;
  Saved& operator=(const Saved&) = default;
  Saved& operator=(Saved&&) = default;

 private:
  friend Saved save(const Tensor& input);
  friend Saved save_output(const Tensor& y, int index);
  friend class Backward;
  Tensor tensor_;
  uint32_t version_ = 0, data_version_ = 0;
  int output_ = -1;  // which output of the op this is; -1 for inputs
};

/// Keeps an input, with its place in the graph. An undefined tensor may be saved.
Saved save(const Tensor& input);
/// Keeps a result that is about to be recorded (as output `index`).
Saved save_output(const Tensor& y, int index = 0);

/// What a vjp works with: the gradients of the outputs, and the way back to saved tensors.
class Backward {
 public:
  Backward(Node& node, std::span<const Tensor> dy) : node_(node), dy_(dy) {}

  /// Gradient of output i; undefined if none came (never so for a single output).
  const Tensor& dy(int i = 0) const {
    const auto at = static_cast<size_t>(i);
    if (at >= dy_.size()) [[unlikely]]
      fail_index("output", i, dy_.size());
    return dy_[at];
  }
  /// Whether anybody asks for the gradient of input i.
  bool needs(int i) const {
    const std::span<const Edge> edges = node_.edges();
    const auto at = static_cast<size_t>(i);
    if (at >= edges.size()) [[unlikely]]
      fail_index("input", i, edges.size());
    return static_cast<bool>(edges[at].node);
  }
  /// Whether nobody will differentiate the gradients: they need not be made of recorded ops.
  bool first_order() const { return !grad_enabled(); }
  /// The tensor behind `s`, in its graph. Error if changed in place or given other data since.
  Tensor saved(const Saved& s) const;

 private:
  [[noreturn]] void fail_changed(const Saved& s) const;
  [[noreturn]] void fail_index(const char* what, int i, size_t count) const;

  Node& node_;
  std::span<const Tensor> dy_;
};

/// Whether record() enters in the graph what is computed from `inputs`.
template <class Inputs = std::initializer_list<Tensor>>
bool will_record(const Inputs& inputs) {
  if (!grad_enabled()) return false;
  for (const Tensor& t : inputs)
    if (t.defined() && t.slot()) return true;
  return false;
}

namespace detail {

/// Collects the Saved tensors that are copied on this thread, for a scope.
class SavedCensus {
 public:
  explicit SavedCensus(Tensors& into);
  ~SavedCensus();
  SavedCensus(const SavedCensus&) = delete;
  SavedCensus& operator=(const SavedCensus&) = delete;

 private:
  Tensors* before_;
};

/// A node whose saved tensors live in the vjp's captures: one allocation for both.
template <class Vjp>
class OpNode final : public Node {
 public:
  template <class Inputs>
  OpNode(const Op& op, const Inputs& inputs, Vjp vjp)
      : Node(&op), vjp_(std::move(vjp)), count_(inputs.size()) {
    if (count_ > inline_.size()) spilled_.resize(count_);
    Edge* e = first();
    for (const Tensor& t : inputs) *e++ = edge_of(t);
  }
  std::span<const Edge> edges() const override { return {first(), count_}; }
  Tensors backward(std::span<const Tensor> dy) override {
    Backward b(*this, dy);
    if constexpr (std::is_convertible_v<decltype((*vjp_)(b)), Tensor>) {
      Tensors one(1);
      one[0] = (*vjp_)(b);
      return one;
    } else {
      return (*vjp_)(b);
    }
  }
  void release() override { vjp_.reset(); }
  bool released() const override { return !vjp_; }
  // A closure cannot tell what it captured, but its copy can: each Saved in it reports itself.
  Tensors saved() const override {
    Tensors found;
    if constexpr (std::is_copy_constructible_v<Vjp>) {
      const SavedCensus census(found);
      [[maybe_unused]] const std::optional<Vjp> copy = vjp_;
    }
    return found;
  }

 private:
  Edge* first() { return spilled_.empty() ? inline_.data() : spilled_.data(); }
  const Edge* first() const { return spilled_.empty() ? inline_.data() : spilled_.data(); }

  std::optional<Vjp> vjp_;
  size_t count_;
  std::array<Edge, 3> inline_;
  std::vector<Edge> spilled_;
};

/// Recording a result that is a handle of an input would take that input out of its own graph.
[[noreturn]] void fail_not_own(const Op& op);

template <class Inputs, class Vjp>
void attach(const Op& op, std::span<Tensor> outputs, const Inputs& inputs, Vjp&& vjp) {
  for (const Tensor& y : outputs)
    for (const Tensor& x : inputs)
      if (y.defined() && y.same_handle(x)) [[unlikely]]
        fail_not_own(op);
  Ref<Node> node(new OpNode<std::decay_t<Vjp>>(op, inputs, std::forward<Vjp>(vjp)));
  const Tensor* first = std::data(inputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    node->add_output(outputs[i]);
    if (first->defined() && outputs[i].same_storage(*first)) node->set_is_view();
    if (is_floating(outputs[i].dtype()))
      outputs[i].set_slot(Ref<AutogradSlot>(node.get()), static_cast<int>(i));
  }
}

/// Shows what was computed, recorded or not, to those who watch.
template <class Inputs>
void show(const Op& op, std::span<const Tensor> outputs, const Inputs& inputs) {
  if (thread_state.observers) [[unlikely]]
    notify_op_ran(op, outputs, {std::data(inputs), std::size(inputs)});
}

}  // namespace detail

/// Enters `y`, computed from `inputs`, in the graph (if grad mode is on and an input asks for
/// gradients) and returns it. `vjp(Backward&)` returns one gradient per input: a Tensors, or a
/// Tensor where there is one input; undefined means zero. `y` must be a handle of the op's own.
template <class Inputs = std::initializer_list<Tensor>, class Vjp>
Tensor record(const Op& op, Tensor y, const Inputs& inputs, Vjp&& vjp) {
  if (will_record(inputs)) detail::attach(op, {&y, 1}, inputs, std::forward<Vjp>(vjp));
  detail::show(op, {&y, 1}, inputs);
  return y;
}

/// The same for an op with several outputs; the vjp may find some of their gradients undefined.
template <class Inputs = std::initializer_list<Tensor>, class Vjp>
Tensors record_all(const Op& op, Tensors outputs, const Inputs& inputs, Vjp&& vjp) {
  if (will_record(inputs)) detail::attach(op, outputs, inputs, std::forward<Vjp>(vjp));
  detail::show(op, outputs, inputs);
  return outputs;
}

}  // namespace weft
