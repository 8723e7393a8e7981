// Ctrl-C, or a polite kill (SIGTERM), as a question that a long computation may ask.
#pragma once

namespace weft {

/// While it lives, the first signal of each kind asks for an orderly end; the second one kills as
/// usual. One at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  void (*before_[2])(int);
};

/// Whether a signal came since the last scope began.
bool interrupted();

}  // namespace weft
