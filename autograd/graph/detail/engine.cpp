#include <weft/autograd/graph/detail/engine.h>
#include <weft/autograd/graph/detail/leaf_uses.h>
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/graph/module_path.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/binary_into.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <exception>
#include <unordered_map>

namespace weft {
namespace {

class Engine {
 public:
  explicit Engine(const BackwardRequest& request) : request_(request) {
    for (const Tensor& t : request.inputs) captured_nodes_[node_of(t)] = true;
    if (!request.inputs.empty())
      for (const Tensor& t : request.outputs) find_needed(node_of(t));
  }

  Tensors run() {
    GradMode mode(request_.options.create_graph);
    const detail::BackwardScope scope;
    captured_.resize(request_.inputs.size());
    for (size_t i = 0; i < request_.outputs.size(); ++i) seed(i);
    while (!ready_.empty()) {
      std::pop_heap(ready_.begin(), ready_.end(), earlier);
      Node* node = ready_.back();
      ready_.pop_back();
      if (pending_.contains(node)) visit(*node);
    }
    for (auto& [leaf, dy] : arrived_) add_to(*leaf, dy);
    return std::move(captured_);
  }

 private:
  static bool earlier(const Node* a, const Node* b) { return a->sequence() < b->sequence(); }

  void seed(size_t i) {
    const Tensor& y = request_.outputs[i];
    Tensor dy = i < request_.gradients.size() ? request_.gradients[i] : Tensor();
    if (!dy.defined()) {
      check(y.numel() == 1,
            "{}: an output with more than one element needs a gradient; got shape {}", request_.who,
            y.shape());
      dy = ones(y.shape(), y.dtype());
    }
    check(dy.shape() == y.shape() && dy.dtype() == y.dtype(),
          "{}: the gradient must have the output's shape and dtype; got {} {} for {} {}",
          request_.who, dy.shape(), to_string(dy.dtype()), y.shape(), to_string(y.dtype()));
    roots_.push_back(edge_of(y));
    deposit(roots_.back(), std::move(dy));
  }

  // Marks the nodes below which (or at which) a gradient was asked for; depth first, own stack.
  void find_needed(Node* root) {
    struct Frame {
      Node* node;
      size_t next;
    };
    std::vector<Frame> stack;
    auto enter = [&](Node* node) {
      const bool here = captured_nodes_.contains(node);
      if (needed_.emplace(node, here).second && !(here && request_.stop_at_inputs))
        stack.push_back({node, 0});
    };
    enter(root);
    while (!stack.empty()) {
      Frame& f = stack.back();
      const auto edges = f.node->edges();
      if (f.next < edges.size()) {
        if (Node* below = edges[f.next++].node.get()) enter(below);
        continue;
      }
      Node* done = f.node;
      stack.pop_back();
      bool needed = needed_[done];
      for (const Edge& e : edges) needed = needed || (e.node && needed_[e.node.get()]);
      needed_[done] = needed;
    }
  }

  bool wanted(Node* node) const {
    if (!node) return false;
    if (request_.inputs.empty()) return true;
    const auto it = needed_.find(node);
    return it != needed_.end() && it->second;
  }

  void deposit(const Edge& edge, Tensor dx) {
    Node* node = edge.node.get();
    if (!dx.defined() || !wanted(node)) return;
    auto [it, added] = pending_.try_emplace(node);
    if (added) {
      it->second.resize(static_cast<size_t>(node->num_outputs()));
      ready_.push_back(node);
      std::push_heap(ready_.begin(), ready_.end(), earlier);
    }
    accumulate(it->second[static_cast<size_t>(edge.index)], std::move(dx));
  }

  void visit(Node& node) {
    Tensors dy = std::move(pending_.extract(&node).mapped());
    if (request_.stop_at_inputs && captured_nodes_.contains(&node)) return capture(node, dy);
    for (size_t i = 0; i < dy.size(); ++i) observe(node, static_cast<int>(i), dy[i]);
    if (!node.op()) return arrive(static_cast<Leaf&>(node), dy);
    check_not_released(node);
    const auto edges = node.edges();
    if (std::none_of(edges.begin(), edges.end(),
                     [&](const Edge& e) { return wanted(e.node.get()); }))
      return;
    const PathScope path(node.path());
    if (detail::thread_state.observers) detail::notify_vjp_begins(node, dy);
    Tensors dx = run_vjp(node, dy);
    dy.clear();
    verify(node, dx);
    if (!request_.options.retain_graph && !request_.options.create_graph) node.release();
    if (request_.inputs.empty()) leaf_uses_.ran(node, ready_);
    for (size_t i = 0; i < dx.size(); ++i) {
      deposit(edges[i], std::move(dx[i]));
      Node* const below = edges[i].node.get();
      if (leaf_uses_.count_down(below) && pending_.contains(below)) visit(*below);
    }
  }

  // What a vjp throws is told with its op, unless it names that itself.
  static Tensors run_vjp(Node& node, const Tensors& dy) {
    try {
      return detail::thread_state.observers ? detail::observed_vjp(node, dy) : node.backward(dy);
    } catch (...) {
      const std::string who = node.describe(), what = what_was_thrown();
      if (what.starts_with(who)) throw;
      std::throw_with_nested(Error(fmt::format("{}: its vjp threw: {}", who, what)));
    }
  }

  void check_not_released(const Node& node) const {
    if (node.released()) [[unlikely]]
      fail(
          "{}: backward ran a second time, but the first freed what {} had saved; pass "
          "retain_graph to the first",
          request_.who, node.describe());
  }

  // Hooks first: what is kept or captured is what flows on.
  void observe(Node& node, int output, Tensor& dy) {
    if (!dy.defined()) return;
    if (OutputExtras* extras = node.extras(output)) {
      if (extras->hooks) run_hooks(node, TensorHooks(*extras->hooks), dy);
      if (extras->retain) accumulate(extras->grad, Tensor(dy));
    }
    capture(node, output, dy);
  }

  void capture(const Node& node, int output, const Tensor& dy) {
    for (size_t i = 0; i < request_.inputs.size(); ++i)
      if (node_of(request_.inputs[i]) == &node && request_.inputs[i].output_index() == output)
        captured_[i] = dy;
  }
  void capture(const Node& node, const Tensors& dy) {
    for (size_t i = 0; i < dy.size(); ++i) capture(node, static_cast<int>(i), dy[i]);
  }

  // `hooks` is a copy: a hook may remove itself.
  void run_hooks(const Node& node, const TensorHooks& hooks, Tensor& dy) const {
    for (const TensorHooks::Entry& entry : hooks.entries) {
      Tensor replaced;
      try {
        replaced = entry.call(dy);
      } catch (...) {
        std::throw_with_nested(Error(fmt::format("{}: {} threw: {}", request_.who,
                                                 name_of(entry, node), what_was_thrown())));
      }
      if (!replaced.defined()) continue;
      if (replaced.shape() != dy.shape() || replaced.dtype() != dy.dtype()) [[unlikely]]
        fail("{}: {} must keep the gradient's shape {} and dtype {}; got {} {}", request_.who,
             name_of(entry, node), dy.shape(), to_string(dy.dtype()), replaced.shape(),
             to_string(replaced.dtype()));
      dy = replaced;
    }
  }

  static std::string name_of(const TensorHooks::Entry& entry, const Node& node) {
    return entry.owner.empty() ? fmt::format("a hook on {}", node.describe()) : entry.owner;
  }

  // Leaves take their gradients when all else has gone well.
  void arrive(Leaf& leaf, Tensors& dy) {
    if (detail::thread_state.observers) detail::notify_vjp_begins(leaf, dy);
    if (request_.inputs.empty()) arrived_.emplace_back(Ref<Leaf>(&leaf), std::move(dy[0]));
  }

  void add_to(Leaf& leaf, Tensor& dy) const {
    // A gradient that somebody else holds too is copied: the user may write to it.
    if (!leaf.grad.defined() && !request_.options.create_graph)
      leaf.grad = dy.is_unique() && dy.is_contiguous() ? std::move(dy) : clone(dy);
    else
      accumulate(leaf.grad, std::move(dy));
  }

  void verify(const Node& node, const Tensors& dx) const {
    const auto edges = node.edges();
    if (dx.size() != edges.size()) [[unlikely]]
      fail("{}: its vjp must return {} gradients; got {}", node.describe(), edges.size(),
           dx.size());
    for (size_t i = 0; i < dx.size(); ++i) {
      if (!edges[i].node || !dx[i].defined()) continue;
      const TensorInfo& want = edges[i].node->output(edges[i].index);
      if (dx[i].shape() != want.shape || dx[i].dtype() != want.dtype) [[unlikely]]
        fail_unfit(node, i, dx[i], want);
    }
  }

  [[noreturn]] static void fail_unfit(const Node& node, size_t i, const Tensor& dx,
                                      const TensorInfo& want) {
    const Node* below = node.edges()[i].node.get();
    if (!below->op() && static_cast<const Leaf*>(below)->replaced_since(node))
      fail("{}: its input {} became {} {} after it ran; run forward again after to(dtype)",
           node.describe(), i, want.shape, to_string(want.dtype));
    fail("{}: its vjp must return a gradient of shape {} and dtype {} for input {}; got {} {}",
         node.describe(), want.shape, to_string(want.dtype), i, dx.shape(), to_string(dx.dtype()));
  }

  void accumulate(Tensor& sum, Tensor dx) const {
    if (!sum.defined())
      sum = std::move(dx);
    else if (!request_.options.create_graph && sum.is_unique() && sum.is_contiguous())
      add_in_place(sum, dx);
    else
      sum = add(sum, dx);
  }

  const BackwardRequest& request_;
  std::unordered_map<Node*, bool> captured_nodes_, needed_;
  std::unordered_map<Node*, Tensors> pending_;
  std::vector<Node*> ready_;  // a heap: the latest node on top
  LeafUses leaf_uses_;
  Tensors captured_;
  std::vector<std::pair<Ref<Leaf>, Tensor>> arrived_;
  std::vector<Edge> roots_;  // keep the graph alive, whatever hooks let go of
};

const char* why_no_gradient(const Tensor& y) {
  if (!y.defined()) return "is undefined";
  if (grad_enabled()) return "does not depend on any tensor that requires a gradient";
  return "was not recorded: grad mode is off here, as under NoGrad and in hooks of a backward pass "
         "without create_graph; GradMode turns it on";
}

}  // namespace

Tensors run_backward(const BackwardRequest& request) {
  for (const Tensor& y : request.outputs)
    check(y.defined() && y.requires_grad(), "{}: the output {}", request.who, why_no_gradient(y));
  return Engine(request).run();
}

}  // namespace weft
