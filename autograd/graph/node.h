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

/// The hooks on one output, in the order in which they run.
struct TensorHooks {
  struct Entry {
    int id;
    TensorHook call;
    std::string owner;  // for errors, as "a backward hook of module encoder"; "": the tensor's own
  };
  std::vector<Entry> entries;
  int next_id = 0;
};

/// What is rarely used of an output: hooks, a retained gradient, a name.
struct OutputExtras {
  std::shared_ptr<TensorHooks> hooks;
  bool retain = false;
  Tensor grad;
  std::string name;

  HookHandle add_hook(TensorHook call, std::string owner = {});
};

/// Shape and dtype of a tensor.
struct TensorInfo {
  Shape shape;
  DType dtype = kFloat32;
};

/// Where a node was recorded; kept in the scope of DetectAnomaly.
struct Origin {
  std::vector<void*> frames;
  std::vector<TensorInfo> inputs;
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
  /// Of the module that recorded this node; null outside of all.
  const std::string* path() const { return path_; }
  /// For messages: `softmax "weights" in decoder.layers.1.multihead_attn`.
  std::string describe() const;

  virtual std::span<const Edge> edges() const = 0;
  /// Gradients of the inputs, one per edge (undefined where there is none), from those of the
  /// outputs (undefined where no gradient came).
  virtual Tensors backward(std::span<const Tensor> dy) = 0;
  /// Drops what was saved for backward.
  virtual void release() = 0;
  virtual bool released() const = 0;
  /// What is saved for backward.
  virtual Tensors saved() const = 0;

  /// Shape and dtype that the gradient of an output must have.
  int num_outputs() const { return num_outputs_; }
  const TensorInfo& output(int i) const {
    return i == 0 ? first_output_ : more_outputs_[static_cast<size_t>(i - 1)];
  }
  void add_output(const Tensor& t);
  /// Whether an output looks into the storage of the first input.
  bool is_view() const { return is_view_; }
  void set_is_view() { is_view_ = true; }

  /// Null unless somebody asked for extras of output i.
  OutputExtras* extras(int i) const;
  OutputExtras& make_extras(int i);
  /// Null unless set.
  const Origin* origin() const { return rare_ ? rare_->origin.get() : nullptr; }
  void set_origin(Origin origin);

 protected:
  TensorInfo& first_output() { return first_output_; }

 private:
  struct Rare {
    std::vector<std::unique_ptr<OutputExtras>> outputs;
    std::unique_ptr<Origin> origin;
  };
  Rare& rare();

  const Op* op_;
  uint64_t sequence_;
  const std::string* path_;
  TensorInfo first_output_;  // inline: nearly all ops have one
  std::vector<TensorInfo> more_outputs_;
  int num_outputs_ = 0;
  bool is_view_ = false;
  std::unique_ptr<Rare> rare_;
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
  Tensors saved() const override { return {}; }
  /// After the tensor's data was replaced: gradients must now fit the new shape and dtype.
  void match(const Tensor& t);
  /// Whether that happened after `node` was recorded.
  bool replaced_since(const Node& node) const { return replaced_at_ > node.sequence(); }

  Tensor grad;

 private:
  uint64_t replaced_at_ = 0;
};

/// The leaf that `t` is, if it asks or ever asked for gradients; else null.
Leaf* leaf_of(const Tensor& t);
inline Node* node_of(const Tensor& t) { return static_cast<Node*>(t.slot()); }
/// The edge that leads to what made `t`; its node is null if `t` needs no gradient.
inline Edge edge_of(const Tensor& t) {
  return t.defined() ? Edge{Ref<Node>(node_of(t)), t.output_index()} : Edge{};
}

}  // namespace weft
