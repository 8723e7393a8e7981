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

/// The signal that came since the last scope began; 0: none.
int interrupting_signal();
inline bool interrupted() { return interrupting_signal() != 0; }

}  // namespace weft
