// Choosing by name: tasks, kinds of models, optimizers, metrics.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace weft {

namespace detail {
[[noreturn]] void fail_unknown_name(const std::string& what, const std::string& name,
                                    const std::vector<std::string>& names);
}

/// The item whose member `name` is that. Throws an error that begins with `what`, the setting, and
/// lists the names there are.
template <class Items>
auto& find_named(Items& items, const std::string& name, const std::string& what) {
  std::vector<std::string> names;
  for (auto& item : items) {
    if (item.name == name) return item;
    names.push_back(item.name);
  }
  detail::fail_unknown_name(what, name, names);
}

}  // namespace weft
