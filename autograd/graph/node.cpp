#include <weft/autograd/graph/node.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/thread_state.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <atomic>

namespace weft {
namespace {

uint64_t next_sequence() {
  static std::atomic<uint64_t> counter{1};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

HookHandle OutputExtras::add_hook(TensorHook call, std::string owner) {
  if (!hooks) hooks = std::make_shared<TensorHooks>();
  const int id = hooks->next_id++;
  hooks->entries.push_back({id, std::move(call), std::move(owner)});
  return HookHandle([list = std::weak_ptr(hooks), id] {
    if (const auto live = list.lock())
      std::erase_if(live->entries, [id](const auto& entry) { return entry.id == id; });
  });
}

Node::Node(const Op* op) : op_(op), sequence_(next_sequence()), path_(detail::thread_state.path) {}
Node::~Node() = default;

// Deleting a node drops its edges and saved tensors, which may end other nodes' lives: those are
// queued and deleted by the outermost call, whose stack depth does not grow.
void Node::dispose() {
  thread_local Node* dead = nullptr;
  thread_local bool draining = false;
  next_dead_ = dead;
  dead = this;
  if (draining) return;
  draining = true;
  while (Node* node = dead) {
    dead = node->next_dead_;
    delete node;
  }
  draining = false;
}

const char* Node::name() const { return op_ ? op_->name : "leaf"; }

std::string Node::describe() const {
  std::string text = name();
  for (int i = 0; i < num_outputs(); ++i)
    if (const OutputExtras* e = extras(i); e && !e->name.empty())
      text += fmt::format(" \"{}\"", e->name);
  if (path_ && !path_->empty()) text += fmt::format(" in {}", *path_);
  return text;
}

void Node::add_output(const Tensor& t) {
  check(t.defined(), "{}: its result {} is undefined", name(), num_outputs_);
  if (num_outputs_++ == 0)
    first_output_ = {t.shape(), t.dtype()};
  else
    more_outputs_.push_back({t.shape(), t.dtype()});
}

Node::Rare& Node::rare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

OutputExtras* Node::extras(int i) const {
  const auto at = static_cast<size_t>(i);
  return rare_ && at < rare_->outputs.size() ? rare_->outputs[at].get() : nullptr;
}

OutputExtras& Node::make_extras(int i) {
  const auto at = static_cast<size_t>(i);
  auto& outputs = rare().outputs;
  if (at >= outputs.size()) outputs.resize(at + 1);
  if (!outputs[at]) outputs[at] = std::make_unique<OutputExtras>();
  return *outputs[at];
}

void Node::set_origin(Origin origin) {
  rare().origin = std::make_unique<Origin>(std::move(origin));
}

void Leaf::match(const Tensor& t) {
  first_output() = {t.shape(), t.dtype()};
  replaced_at_ = next_sequence();
}

Leaf* leaf_of(const Tensor& t) {
  auto* node = static_cast<Node*>(t.slot() ? t.slot() : t.frozen_slot());
  return node && !node->op() ? static_cast<Leaf*>(node) : nullptr;
}

}  // namespace weft
