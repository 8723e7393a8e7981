// What ops must know of the thread they run on: the grad mode, whose forward runs, who watches.
#pragma once

#include <string>
#include <utility>

namespace weft {

class Observer;
class Substitution;

namespace detail {

struct ThreadState {
  bool grad_enabled = true;
  bool inside_op = false;             // an op computes its value, or an observed vjp runs
  const std::string* path = nullptr;  // of the module whose forward runs, interned; null: none
  Observer* observers = nullptr;      // the latest; each knows the one before it
  const Substitution* substitution = nullptr;  // likewise
};

// constinit: read without a call, as every op does.
extern constinit thread_local ThreadState thread_state;

/// Observers are not told of what runs in this scope (or, if false, are told of it all the same).
class InsideOp {
 public:
  explicit InsideOp(bool inside = true) : before_(std::exchange(thread_state.inside_op, inside)) {}
  ~InsideOp() { thread_state.inside_op = before_; }
  InsideOp(const InsideOp&) = delete;
  InsideOp& operator=(const InsideOp&) = delete;

 private:
  bool before_;
};

}  // namespace detail
}  // namespace weft
