// Signals that ask a long computation to end: Ctrl-C, a polite kill (SIGTERM), a terminal that goes
// away (SIGHUP), and those by which batch systems announce their limits (SIGXCPU, SIGUSR1,
// SIGUSR2). The computation ends between two of its ops, by an exception, so nothing needs to ask
// for them.
#pragma once

#include <weft/autograd/graph/observer.h>

#include <csignal>
#include <exception>
#include <vector>

namespace weft {

/// What an op throws after such a signal. Not an Error: nothing is wrong.
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}

  int signal() const { return signal_; }
  const char* what() const noexcept override;  ///< "interrupted by SIGTERM"

 private:
  int signal_;
};

/// While it lives, the first of these signals makes the next op or vjp of this thread throw
/// Interrupted, once; a later one kills as usual, unless it comes so soon that it must be the same
/// request (timeout and a closing terminal send it twice). Signals that were ignored stay so, for
/// nohup, but for SIGINT, which shells ignore for what a script runs in the background. SIGPIPE and
/// SIGXFSZ are ignored: the call that caused them fails as well. Scopes may nest; those of two
/// threads may not overlap.
class InterruptScope : public Observer {
 public:
  InterruptScope();
  ~InterruptScope() override;

  void op_ran(const Op&, std::span<const Tensor>, std::span<const Tensor>) override;
  void vjp_begins(const Node&, std::span<const Tensor>) override;

 private:
  std::vector<std::pair<int, struct sigaction>> before_;
};

/// While it lives, no op of this thread throws Interrupted: for what is to be done whole.
class Uninterrupted {
 public:
  Uninterrupted();
  ~Uninterrupted();
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;
};

/// What every op does: throws Interrupted, once, if a signal came. For what waits between ops.
void throw_if_interrupted();

/// The signal that came in the outermost scope that lives; 0: none.
int interrupting_signal();

}  // namespace weft
