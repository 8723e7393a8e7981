#include <weft/autograd/node.h>
#include <weft/autograd/op.h>

#include <atomic>

namespace weft {
namespace {

uint64_t next_sequence() {
  static std::atomic<uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

thread_local bool t_grad_enabled = true;

}  // namespace

bool grad_enabled() { return t_grad_enabled; }
GradMode::GradMode(bool enabled) : before_(t_grad_enabled) { t_grad_enabled = enabled; }
GradMode::~GradMode() { t_grad_enabled = before_; }

Node::Node(const Op* op) : op_(op), sequence_(next_sequence()) {}
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

OutputExtras* Node::extras(int i) const {
  const auto at = static_cast<size_t>(i);
  return at < extras_.size() ? extras_[at].get() : nullptr;
}

OutputExtras& Node::make_extras(int i) {
  const auto at = static_cast<size_t>(i);
  if (at >= extras_.size()) extras_.resize(at + 1);
  if (!extras_[at]) extras_[at] = std::make_unique<OutputExtras>();
  return *extras_[at];
}

}  // namespace weft
