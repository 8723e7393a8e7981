#include <weft/autograd/graph/module_path.h>
#include <weft/autograd/graph/observer.h>

#include <mutex>
#include <set>

namespace weft {
namespace {

// Paths stay, like ops: a program has few of them.
const std::string* intern(std::string path) {
  static std::mutex& mutex = *new std::mutex;
  static auto& paths = *new std::set<std::string>;
  std::lock_guard lock(mutex);
  return &*paths.insert(std::move(path)).first;
}

}  // namespace

namespace detail {
constinit thread_local ThreadState thread_state;
}  // namespace detail

const std::string* PathSource::interned_path() const {
  const std::string* known = interned_.load(std::memory_order_acquire);
  if (!known) interned_.store(known = intern(path()), std::memory_order_release);
  return known;
}

void ModuleScope::cross() {
  if (detail::thread_state.observers) [[unlikely]]
    detail::notify_module_crossed();
}

std::string module_path() {
  return detail::thread_state.path ? *detail::thread_state.path : std::string();
}

}  // namespace weft
