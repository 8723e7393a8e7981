// The graph that backward walks. A node stands for one recorded op (or one leaf); its edges lead to
// the nodes that made the op's inputs.
#pragma once

#include <weft/core/tensor.h>

#include <memory>
#include <span>

namespace weft {

struct Op;
class Node;

/// Output `index` of a node.
struct Edge {
  Ref<Node> node;  // null where the input needs no gradient
  int index = 0;
};

/// What is rarely used of an output: hooks, and a retained gradient.
struct OutputExtras {
  std::vector<std::pair<int, TensorHook>> hooks;
  int next_hook = 0;
  bool retain = false;
  Tensor grad;
};

class Node : public AutogradSlot {
 public:
  /// `op` is null for a leaf.
  explicit Node(const Op* op);
  ~Node() override;
  /// Frees the graph below without recursion: it may be a million nodes deep.
  void dispose() final;

  const Op* op() const { return op_; }
  const char* name() const;
  /// Grows with every node made: inputs have smaller numbers than what is computed from them.
  uint64_t sequence() const { return sequence_; }

  virtual std::span<const Edge> edges() const = 0;
  /// Gradients of the inputs, one per edge (undefined where there is none), from those of the
  /// outputs (undefined where no gradient came).
  virtual Tensors backward(std::span<const Tensor> dy) = 0;
  /// Drops what was saved for backward.
  virtual void release() = 0;
  virtual bool released() const = 0;

  /// Shape and dtype that the gradient of an output must have.
  struct OutputInfo {
    Shape shape;
    DType dtype;
  };
  int num_outputs() const { return static_cast<int>(outputs_.size()); }
  const OutputInfo& output(int i) const { return outputs_[static_cast<size_t>(i)]; }
  void add_output(const Tensor& t) { outputs_.push_back({t.shape(), t.dtype()}); }

  /// Null unless somebody asked for extras of output i.
  OutputExtras* extras(int i) const;
  OutputExtras& make_extras(int i);

 protected:
  void set_output(int i, const Tensor& t) {
    outputs_[static_cast<size_t>(i)] = {t.shape(), t.dtype()};
  }

 private:
  const Op* op_;
  uint64_t sequence_;
  std::vector<OutputInfo> outputs_;
  std::vector<std::unique_ptr<OutputExtras>> extras_;
  Node* next_dead_ = nullptr;
};

/// The node of a tensor that a user asked gradients of.
class Leaf final : public Node {
 public:
  explicit Leaf(const Tensor& t) : Node(nullptr) { add_output(t); }
  std::span<const Edge> edges() const override { return {}; }
  Tensors backward(std::span<const Tensor>) override { return {}; }
  void release() override {}
  bool released() const override { return false; }
  /// After the tensor's data was replaced: gradients must now fit the new shape and dtype.
  void match(const Tensor& t) { set_output(0, t); }

  Tensor grad;
};

inline Node* node_of(const Tensor& t) { return static_cast<Node*>(t.slot()); }
/// The edge that leads to what made `t`; its node is null if `t` needs no gradient.
inline Edge edge_of(const Tensor& t) {
  return t.defined() ? Edge{Ref<Node>(node_of(t)), t.output_index()} : Edge{};
}

}  // namespace weft
