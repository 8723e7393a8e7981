// How the parts of an update are shared out to ranks.
#pragma once

#include <algorithm>
#include <cstdint>

namespace weft {

/// Numbers [begin, end).
struct PartRange {
  int64_t begin, end;
};

/// Which of `parts` a rank has: neighbours, as many for each rank, the first ones one more if need
/// be.
inline PartRange parts_of_rank(int64_t parts, int rank, int ranks) {
  const auto first = [&](int64_t r) {
    return r * (parts / ranks) + std::min<int64_t>(r, parts % ranks);
  };
  return {first(rank), first(rank + 1)};
}

}  // namespace weft
