// Watching the ops of a thread. Profiler, DetectAnomaly and Intermediates are observers; where
// there is none, an op pays one branch for them.
#pragma once

#include <weft/core/tensor.h>

namespace weft {

struct Op;
class Node;

/// Is told what this thread does, from its construction to its destruction. It must not run ops
/// itself. What it throws ends the forward or backward pass that it was told of. It must not throw
/// from backward_ended, module_crossed and region_ended, which destructors call.
class Observer {
 public:
  virtual ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  /// An op computed `outputs`; it is recorded if they have a slot. Not told of what an op
  /// calls in its OpScope, nor of ops inside a vjp, but for the function that checkpoint() calls
  /// again.
  virtual void op_ran(const Op&, std::span<const Tensor> /*outputs*/,
                      std::span<const Tensor> /*inputs*/) {}
  /// A vjp recorded an op, for a second order.
  virtual void recorded_in_vjp(Node&, std::span<const Tensor> /*inputs*/) {}
  /// A pass of backward or grad() begins and ends; between, vjps run. They may nest.
  virtual void backward_began() {}
  virtual void backward_ended() {}
  /// Backward has the gradients of a node's outputs, after hooks; it is about to run its vjp. A
  /// leaf has none: this is all that is told of it.
  virtual void vjp_begins(const Node&, std::span<const Tensor> /*dy*/) {}
  virtual void vjp_ended(const Node&, std::span<const Tensor> /*dx*/) {}
  /// A module's forward begins or ends.
  virtual void module_crossed() {}
  /// A ProfileRegion begins and ends.
  virtual void region_began(const char* /*name*/) {}
  virtual void region_ended(const char* /*name*/) {}
  /// named() was called.
  virtual void tensor_named(const Tensor&, const std::string& /*name*/) {}
  /// Whether the tensor that would be named so is asked for, so that no fused path may skip it.
  virtual bool wants(const std::string& /*name*/) const { return false; }

 protected:
  Observer();

 private:
  friend struct ObserverChain;
  Observer* before_;
};

namespace detail {

void notify_op_ran(const Op& op, std::span<const Tensor> outputs, std::span<const Tensor> inputs);
void notify_module_crossed();
void notify_region(const char* name, bool begins);
void notify_named(const Tensor& t, const std::string& name);
bool any_observer_wants(const std::string& name);
void notify_vjp_begins(const Node& node, std::span<const Tensor> dy);
/// node.backward(dy) with observers told when it has ended.
Tensors observed_vjp(Node& node, std::span<const Tensor> dy);

/// Tells observers of a backward pass, for a scope.
class BackwardScope {
 public:
  BackwardScope();
  ~BackwardScope();
  BackwardScope(const BackwardScope&) = delete;
  BackwardScope& operator=(const BackwardScope&) = delete;
};

}  // namespace detail
}  // namespace weft
