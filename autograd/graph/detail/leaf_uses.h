// When the gradient of a leaf is complete. A leaf with hooks is then visited at once, not after all
// other nodes: what its hooks begin (an exchange between machines, an update of the parameter) goes
// on while the rest of backward runs.
#pragma once

#include <weft/autograd/graph/node.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace weft {

class LeafUses {
 public:
  /// Before the gradients of a node that ran are handed on; `ready` has gradients and waits. The
  /// first node above a leaf with hooks makes it count how often such leaves will be used.
  void ran(Node& node, const std::vector<Node*>& ready) {
    const auto edges = node.edges();
    if (counted_ || std::none_of(edges.begin(), edges.end(), is_hooked_leaf)) return;
    counted_ = true;
    std::vector<Node*> stack = ready;
    stack.push_back(&node);
    std::unordered_set<Node*> seen(stack.begin(), stack.end());
    while (!stack.empty()) {
      Node* const at = stack.back();
      stack.pop_back();
      for (const Edge& e : at->edges()) {
        if (is_hooked_leaf(e)) ++uses_[e.node.get()];
        if (e.node && seen.insert(e.node.get()).second) stack.push_back(e.node.get());
      }
    }
  }

  /// An edge to the node brought what it will. Whether it is such a leaf and that was the last
  /// edge. Where no gradient comes to a user of the leaf, that is never so: it is visited after all
  /// nodes.
  bool count_down(Node* node) {
    const auto it = uses_.find(node);
    return it != uses_.end() && --it->second == 0;
  }

 private:
  static bool is_hooked_leaf(const Edge& edge) {
    const Node* node = edge.node.get();
    if (!node || node->op()) return false;
    const OutputExtras* extras = node->extras(0);
    return extras && extras->hooks;
  }

  bool counted_ = false;
  std::unordered_map<Node*, int64_t> uses_;  // still to come
};

}  // namespace weft
