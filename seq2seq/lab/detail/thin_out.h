// For lists that must not grow without end.
#pragma once

#include <utility>
#include <vector>

namespace weft::detail {

/// Keeps the first element, the third, the fifth and so on.
template <class T>
void thin_out(std::vector<T>& list) {
  for (size_t i = 0; 2 * i < list.size(); ++i) std::swap(list[i], list[2 * i]);
  list.resize((list.size() + 1) / 2);
}

}  // namespace weft::detail
