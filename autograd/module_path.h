// Which module's forward runs on this thread: for errors, profiles and graph dumps.
#pragma once

#include <string>

namespace weft {

/// What can tell where it stands in a model.
class PathSource {
 public:
  /// "decoder.layers.1.multihead_attn"; "" for the outermost module.
  virtual std::string path() const = 0;

 protected:
  ~PathSource() = default;
};

/// Marks `module` as the one that runs on this thread, for a scope.
class ModuleScope {
 public:
  explicit ModuleScope(const PathSource& module);
  ~ModuleScope();
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;

 private:
  const PathSource* before_;
};

/// The path of the innermost module that runs on this thread; "" outside of all.
std::string module_path();

}  // namespace weft
