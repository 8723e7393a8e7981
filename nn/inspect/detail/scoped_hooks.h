// Hooks for as long as a scope lasts, and the modules to hang them on.
#pragma once

#include <weft/nn/module.h>

namespace weft::detail {

class ScopedHooks {
 public:
  ScopedHooks() = default;
  ScopedHooks(const ScopedHooks&) = delete;
  ScopedHooks& operator=(const ScopedHooks&) = delete;
  ~ScopedHooks() {
    for (HookHandle& handle : handles_) handle.remove();
  }
  void add(HookHandle handle) { handles_.push_back(std::move(handle)); }

 private:
  std::vector<HookHandle> handles_;
};

/// visit(module) for this module and all below it, in order of registration.
template <class F>
void for_each_module(Module& module, const F& visit) {
  visit(module);
  for (const auto& [name, child] : module.children()) for_each_module(*child, visit);
}

}  // namespace weft::detail
