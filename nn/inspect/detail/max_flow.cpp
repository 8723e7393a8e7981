#include <weft/nn/inspect/detail/max_flow.h>

#include <algorithm>
#include <limits>

namespace weft::detail {

void FlowNetwork::add_edge(size_t from, size_t to, double capacity) {
  edges_of_[from].push_back(edges_.size());
  edges_.push_back({to, capacity, capacity});
  edges_of_[to].push_back(edges_.size());
  edges_.push_back({from, 0, 0});
}

double FlowNetwork::max_flow(size_t source, size_t sink) {
  for (const size_t e : used_)
    for (Edge* edge : {&edges_[e], &edges_[e ^ 1]}) edge->left = edge->capacity;
  used_.clear();
  double total = 0;
  while (find_levels(source, sink)) {
    std::fill(next_.begin(), next_.end(), size_t{0});
    for (double more = 1; more > 0; total += more)
      more = augment(source, sink, std::numeric_limits<double>::infinity());
  }
  return total;
}

// Breadth first over edges that have something left, as far as the sink; whether they reach it.
bool FlowNetwork::find_levels(size_t source, size_t sink) {
  std::fill(level_.begin(), level_.end(), -1);
  level_[source] = 0;
  queue_.assign(1, source);
  for (size_t at = 0; at < queue_.size() && level_[sink] < 0; ++at)
    for (const size_t e : edges_of_[queue_[at]]) {
      const Edge& edge = edges_[e];
      if (edge.left <= 0 || level_[edge.to] >= 0) continue;
      level_[edge.to] = level_[queue_[at]] + 1;
      queue_.push_back(edge.to);
    }
  return level_[sink] >= 0;
}

// Sends what one path can carry, from level to level; 0 where no path is left.
double FlowNetwork::augment(size_t node, size_t sink, double limit) {
  if (node == sink) return limit;
  for (size_t& at = next_[node]; at < edges_of_[node].size(); ++at) {
    const size_t e = edges_of_[node][at];
    Edge& edge = edges_[e];
    if (edge.left <= 0 || level_[edge.to] != level_[node] + 1) continue;
    const double sent = augment(edge.to, sink, std::min(limit, edge.left));
    if (sent <= 0) continue;
    edge.left -= sent;
    used_.push_back(e);
    edges_[e ^ 1].left += sent;
    return sent;
  }
  return 0;
}

}  // namespace weft::detail
