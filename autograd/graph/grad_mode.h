// Whether ops are recorded, on this thread.
#pragma once

#include <weft/autograd/graph/thread_state.h>

#include <utility>

namespace weft {

inline bool grad_enabled() { return detail::thread_state.grad_enabled; }

/// Sets the mode of this thread for a scope.
class GradMode {
 public:
  explicit GradMode(bool enabled)
      : before_(std::exchange(detail::thread_state.grad_enabled, enabled)) {}
  ~GradMode() { detail::thread_state.grad_enabled = before_; }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

/// No op in this scope is recorded: for inference, and for changing tensors in place.
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

/// Where an op computes its value: what it calls there is neither recorded nor shown to profiles
/// and other observers, for which it is a part of the op.
class OpScope {
  NoGrad no_grad_;
  detail::InsideOp inside_;
};

}  // namespace weft
