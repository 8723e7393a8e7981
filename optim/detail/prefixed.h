// Tensors of several owners in one list: the names of each begin with a word of their own.
#pragma once

#include <fmt/core.h>
#include <weft/core/serialize.h>

#include <string_view>

namespace weft {

inline void append(NamedTensors& all, std::string_view prefix, const NamedTensors& part) {
  for (const NamedTensor& t : part) all.push_back({fmt::format("{}{}", prefix, t.name), t.tensor});
}

/// The entries whose names start with `prefix`, without it.
inline NamedTensors without_prefix(const NamedTensors& all, std::string_view prefix) {
  NamedTensors part;
  for (const NamedTensor& t : all)
    if (t.name.starts_with(prefix)) part.push_back({t.name.substr(prefix.size()), t.tensor});
  return part;
}

}  // namespace weft
