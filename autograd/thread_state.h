// What ops must know of the thread they run on: the grad mode, whose forward runs, who watches.
#pragma once

#include <string>

namespace weft {

class Observer;

namespace detail {

struct ThreadState {
  bool grad_enabled = true;
  bool in_vjp = false;                // an observed vjp runs
  const std::string* path = nullptr;  // of the module whose forward runs, interned; null: none
  Observer* observers = nullptr;      // the latest; each knows the one before it
};

// constinit: read without a call, as every op does.
extern constinit thread_local ThreadState thread_state;

}  // namespace detail
}  // namespace weft
