// ModuleList: layers of one type, named "0", "1", ...
#pragma once

#include <weft/nn/module.h>

namespace weft {

template <class L>
class ModuleList : public Module {
 public:
  template <class... Args>
  L& add(Args&&... args) {
    L& layer = this->template child<L>(std::to_string(size()), std::forward<Args>(args)...);
    layers_.push_back(&layer);
    return layer;
  }

  size_t size() const { return layers_.size(); }
  L& operator[](size_t i) const { return *layers_.at(i); }
  /// Iterates over pointers to the layers.
  auto begin() const { return layers_.begin(); }
  auto end() const { return layers_.end(); }

 private:
  std::vector<L*> layers_;
};

}  // namespace weft
