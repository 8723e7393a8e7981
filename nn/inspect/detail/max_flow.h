// The largest flow through a network (Dinic 1970).
#pragma once

#include <cstddef>
#include <vector>

namespace weft::detail {

class FlowNetwork {
 public:
  explicit FlowNetwork(size_t nodes) : edges_of_(nodes), level_(nodes), next_(nodes) {}

  /// An edge that carries at most `capacity`, not negative, from one node to another.
  void add_edge(size_t from, size_t to, double capacity);

  /// The largest flow from `source` to another node, `sink`. Starts from an empty network each
  /// time. An augmenting path takes all that its narrowest edge has left, which then is exactly 0:
  /// so it ends after as many steps as with whole numbers, whatever is rounded.
  double max_flow(size_t source, size_t sink);

 private:
  struct Edge {
    size_t to;
    double capacity, left;
  };
  bool find_levels(size_t source, size_t sink);
  double augment(size_t node, size_t sink, double limit);

  std::vector<Edge> edges_;  // each one's reverse stands beside it, at its index ^ 1
  std::vector<std::vector<size_t>> edges_of_;
  std::vector<int> level_;    // steps from the source; -1 where none lead
  std::vector<size_t> next_;  // the first edge of each node that may still lead on
  std::vector<size_t> used_;  // edges that carry something
  std::vector<size_t> queue_;
};

}  // namespace weft::detail
