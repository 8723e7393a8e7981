#include <weft/autograd/graph/node.h>
#include <weft/autograd/graph/observer.h>
#include <weft/autograd/graph/thread_state.h>

#include <utility>

namespace weft {

using detail::thread_state;

struct ObserverChain {
  template <class F>
  static void each(F f) {
    for (Observer* o = thread_state.observers; o; o = o->before_) f(*o);
  }
};

Observer::Observer() : before_(std::exchange(thread_state.observers, this)) {}

// Not always the latest goes first.
Observer::~Observer() {
  Observer** link = &thread_state.observers;
  while (*link && *link != this) link = &(*link)->before_;
  if (*link) *link = before_;
}

namespace detail {

void notify_op_ran(const Op& op, std::span<const Tensor> outputs, std::span<const Tensor> inputs) {
  if (!thread_state.inside_op)
    ObserverChain::each([&](Observer& o) { o.op_ran(op, outputs, inputs); });
  else if (thread_state.grad_enabled && !outputs.empty() && outputs[0].slot())
    ObserverChain::each([&](Observer& o) { o.recorded_in_vjp(*node_of(outputs[0]), inputs); });
}

void notify_module_crossed() {
  ObserverChain::each([](Observer& o) { o.module_crossed(); });
}

void notify_region(const char* name, bool begins) {
  ObserverChain::each([&](Observer& o) { begins ? o.region_began(name) : o.region_ended(name); });
}

void notify_named(const Tensor& t, const std::string& name) {
  if (!thread_state.inside_op) ObserverChain::each([&](Observer& o) { o.tensor_named(t, name); });
}

bool any_observer_wants(const std::string& name) {
  bool wanted = false;
  ObserverChain::each([&](Observer& o) { wanted = wanted || o.wants(name); });
  return wanted;
}

void notify_vjp_begins(const Node& node, std::span<const Tensor> dy) {
  ObserverChain::each([&](Observer& o) { o.vjp_begins(node, dy); });
}

Tensors observed_vjp(Node& node, std::span<const Tensor> dy) {
  Tensors dx = [&] {
    const InsideOp inside;
    return node.backward(dy);
  }();
  ObserverChain::each([&](Observer& o) { o.vjp_ended(node, dx); });
  return dx;
}

BackwardScope::BackwardScope() {
  ObserverChain::each([](Observer& o) { o.backward_began(); });
}
BackwardScope::~BackwardScope() {
  ObserverChain::each([](Observer& o) { o.backward_ended(); });
}

}  // namespace detail
}  // namespace weft
