// What hooks do with the tensors that a module takes and gives.
#pragma once

#include <weft/core/tensor.h>

#include <utility>
#include <vector>

namespace weft {

/// Hooks for as long as it lives.
class Hooks {
 public:
  Hooks() = default;
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;
  ~Hooks() {
    for (HookHandle& handle : handles_) handle.remove();
  }
  void add(HookHandle handle) { handles_.push_back(std::move(handle)); }

 private:
  std::vector<HookHandle> handles_;
};

}  // namespace weft
