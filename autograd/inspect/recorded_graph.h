// Looking at a recorded graph: as a picture, by what it holds in memory, by what it reaches.
#pragma once

#include <weft/core/serialize.h>

#include <iosfwd>
#include <string>
#include <vector>

namespace weft {

/// Writes the graph that `root` was computed by in Graphviz's DOT language: a box per op with its
/// shape, name and bytes saved for backward, in a frame per module; leaves are ellipses, called as
/// in `names` (model.named_parameters()). Arrows run from inputs to results. Render with
/// `dot -Tsvg`.
void dump_graph(const Tensor& root, std::ostream& out, const NamedTensors& names = {});

/// What a graph keeps for backward. Each storage counts once, whole, for the earliest op that saved
/// it.
struct SavedMemory {
  struct Row {
    std::string name;  ///< an op, or a module's path
    size_t bytes = 0;
    int tensors = 0;  ///< storages
  };
  std::vector<Row> by_op, by_module;  ///< the most bytes first
  size_t bytes = 0;
  /// Bytes saved that belong to leaves, as weights do: they are there anyway and not counted above.
  size_t leaf_bytes = 0;

  /// Both lists as text.
  std::string table() const;
};

/// Of the graph that `root` was computed by. What backward has freed no longer counts.
SavedMemory saved_memory(const Tensor& root);

/// Those of `tensors` to which no gradient flows from `output`: parameters that a model does not
/// use, or cuts off.
NamedTensors unreached(const Tensor& output, const NamedTensors& tensors);

}  // namespace weft
