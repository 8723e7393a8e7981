// The members of Tensor that are about gradients.
#include <weft/autograd/graph/detail/engine.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>

namespace weft {
namespace {

Node& require_node(const char* who, const Tensor& t) {
  check(t.defined() && t.slot() != nullptr, "{}: the tensor does not require a gradient", who);
  return *node_of(t);
}

}  // namespace

bool Tensor::requires_grad() const { return defined() && slot() != nullptr; }

bool Tensor::is_leaf() const {
  check(defined(), "is_leaf: the tensor is undefined");
  return !slot() || leaf_of(*this);
}

Tensor& Tensor::set_requires_grad(bool on) {
  check(defined(), "set_requires_grad: the tensor is undefined");
  if (!is_leaf())
    fail("set_requires_grad: only leaves can be set; this is a result of {}; detach() it first",
         node_of(*this)->describe());
  check(!on || is_floating(dtype()), "set_requires_grad: expected a floating dtype; got {}",
        weft::to_string(dtype()));
  if (on == requires_grad()) return *this;
  if (on && !frozen_slot())
    set_slot(Ref<AutogradSlot>(new Leaf(*this)), 0);
  else
    swap_frozen_slot();
  return *this;
}

Tensor Tensor::grad() const {
  if (!defined()) return {};
  if (Leaf* leaf = leaf_of(*this)) return leaf->grad;
  if (!slot()) return {};
  const OutputExtras* extras = node_of(*this)->extras(output_index());
  return extras ? extras->grad : Tensor();
}

void Tensor::set_grad(const Tensor& gradient) {
  Leaf* leaf = defined() ? leaf_of(*this) : nullptr;
  OutputExtras* extras = defined() && slot() ? node_of(*this)->extras(output_index()) : nullptr;
  check(leaf || (extras && extras->retain),
        "set_grad: only a leaf that requires a gradient, or a result that retains its own, has one "
        "to set");
  check(!gradient.defined() || (gradient.shape() == shape() && gradient.dtype() == dtype()),
        "set_grad: expected shape {} and dtype {}; got {} {}", shape(), weft::to_string(dtype()),
        gradient.defined() ? gradient.shape() : Shape(),
        gradient.defined() ? weft::to_string(gradient.dtype()) : "");
  (leaf ? leaf->grad : extras->grad) = gradient;
}

void Tensor::retain_grad() {
  Node& node = require_node("retain_grad", *this);
  if (node.op()) node.make_extras(output_index()).retain = true;
}

HookHandle Tensor::register_hook(TensorHook hook) {
  return require_node("register_hook", *this).make_extras(output_index()).add_hook(std::move(hook));
}

void Tensor::backward(const Tensor& gradient, BackwardOptions options) const {
  run_backward({"backward", {this, 1}, {&gradient, 1}, {}, options});
}

Tensor Tensor::detach() const {
  check(defined(), "detach: the tensor is undefined");
  return strided_view(shape(), strides());
}

}  // namespace weft
