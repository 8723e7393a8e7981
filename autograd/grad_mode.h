// Whether ops are recorded, on this thread.
#pragma once

namespace weft {

bool grad_enabled();

/// Sets the mode of this thread for a scope.
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

/// No op in this scope is recorded: for inference, and for changing tensors in place.
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};

}  // namespace weft
