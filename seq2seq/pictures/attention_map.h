// Attention weights of one sentence, as plain numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weft {

/// What one head attends to: row t holds the weights of decoder step t over the source.
struct AttentionMap {
  int64_t rows = 0, columns = 0;
  std::vector<double> weights;  ///< rows x columns

  double at(int64_t row, int64_t column) const {
    return weights[static_cast<size_t>(row * columns + column)];
  }
};

/// Of every layer and head: maps[layer][head].
using AttentionMaps = std::vector<std::vector<AttentionMap>>;

}  // namespace weft
