// Hooks of one kind, in the order in which they were added.
#pragma once

#include <weft/core/tensor.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace weft::detail {

template <class Hook>
class HookList {
 public:
  HookHandle add(Hook hook) {
    const auto entry = std::make_shared<Hook>(std::move(hook));
    list_->push_back(entry);
    return HookHandle([list = std::weak_ptr(list_), added = std::weak_ptr(entry)] {
      if (const auto live = list.lock()) std::erase(*live, added.lock());
    });
  }
  bool empty() const { return list_->empty(); }
  /// A copy: a hook may remove itself.
  std::vector<std::shared_ptr<Hook>> all() const { return *list_; }

 private:
  std::shared_ptr<std::vector<std::shared_ptr<Hook>>> list_ =
      std::make_shared<std::vector<std::shared_ptr<Hook>>>();
};

}  // namespace weft::detail
