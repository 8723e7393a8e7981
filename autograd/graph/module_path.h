// Which module's forward runs on this thread: for errors, profiles and graph dumps.
#pragma once

#include <weft/autograd/graph/thread_state.h>

#include <atomic>
#include <string>
#include <utility>

namespace weft {

/// What can tell where it stands in a model.
class PathSource {
 public:
  /// "decoder.layers.1.multihead_attn"; "" for the outermost module.
  virtual std::string path() const = 0;
  /// path(), at an address that stays good when the module is gone: the graph's nodes keep it.
  const std::string* interned_path() const;

 protected:
  PathSource() = default;
  ~PathSource() = default;
  /// To be called when path() has changed.
  void path_changed() { interned_.store(nullptr, std::memory_order_relaxed); }

 private:
  mutable std::atomic<const std::string*> interned_{nullptr};
};

/// Makes `path` that of this thread, for a scope.
class PathScope {
 public:
  explicit PathScope(const std::string* path)
      : before_(std::exchange(detail::thread_state.path, path)) {}
  ~PathScope() { detail::thread_state.path = before_; }
  PathScope(const PathScope&) = delete;
  PathScope& operator=(const PathScope&) = delete;

 private:
  const std::string* before_;
};

/// Marks `module` as the one that runs on this thread, for a scope.
class ModuleScope {
 public:
  explicit ModuleScope(const PathSource& module) : scope_(module.interned_path()) { cross(); }
  ~ModuleScope() { cross(); }

 private:
  static void cross();
  PathScope scope_;
};

/// The path of the innermost module that runs on this thread; "" outside of all.
std::string module_path();

}  // namespace weft
