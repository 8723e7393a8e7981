#include <weft/autograd/graph/detail/engine.h>
#include <weft/autograd/graph/named.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/detail/recorded_call.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <set>
#include <unordered_set>

namespace weft {
namespace {

std::string describe(const Tensor& t) {
  return t.defined() ? fmt::format("{} {}", t.shape(), to_string(t.dtype())) : "undefined";
}

// A tensor that stands for an output of a node, by its place in the graph alone.
Tensor stand_in(Node* node, int index) {
  const TensorInfo& info = node->output(index);
  const Shape no_strides = Shape::filled(info.shape.rank(), 0);
  Tensor t = zeros({1}, info.dtype).strided_view(info.shape, no_strides);
  t.set_slot(Ref<AutogradSlot>(node), index);
  return t;
}

}  // namespace

void check_fits(const char* who, const char* what, const char* where, size_t i, const Tensor& t,
                const Tensor& given) {
  if (!given.defined()) return;
  check(differentiable(t) && given.shape() == t.shape() && given.dtype() == t.dtype(),
        "{}: expected {} of the shape and dtype of {} {}, {}; got {}", who, what, where, i,
        describe(t), describe(given));
}

void fail_unused(const char* who, const char* what, size_t i, const Tensor& t) {
  const std::string name = name_of(t);
  fail(
      "{}: no output of the function depends on {} {}{} of shape {}; tensors that a function holds "
      "are constants to it: for a module's parameters, pass the module or use functional_call; set "
      "allow_unused if it is meant",
      who, what, i, name.empty() ? name : fmt::format(" \"{}\"", name), t.shape());
}

RecordedCall::RecordedCall(const char* who, const TensorFunction& f, const Tensors& inputs,
                           Want want, Tensors outside)
    : who_(who),
      differentiable_(grad_enabled()),
      since_(Ref<Node>(new Leaf(scalar(0)))->sequence()),
      outside_(std::move(outside)) {
  GradMode record_f(true);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& x = inputs[i];
    const bool wanted = differentiable(x) && (want == Want::floating || x.requires_grad());
    Tensor alias = x;
    if (wanted)
      alias = differentiable_ && x.requires_grad() ? reshape(x, x.shape())
                                                   : x.detach().set_requires_grad();
    fresh_.push_back(alias);
    if (wanted) wanted_.push_back(i);
  }
  outputs_ = f(fresh_);
}

const Tensor& RecordedCall::output() const {
  check(outputs_.size() == 1, "{}: the function must return one tensor; got {}", who_,
        outputs_.size());
  check(differentiable(outputs_[0]), "{}: the function must return a floating tensor; got {}", who_,
        outputs_[0].defined() ? to_string(outputs_[0].dtype()) : "an undefined one");
  return outputs_[0];
}

Tensors RecordedCall::results() const {
  Tensors ys = outputs_;
  if (!differentiable_)
    for (Tensor& y : ys)
      if (y.defined()) y = y.detach();
  return ys;
}

Tensors RecordedCall::vjp(const Tensors& dy, bool keep) const {
  return run(dy, {keep || differentiable_, differentiable_});
}

Tensors RecordedCall::vjp(const Tensors& dy, const TransformOptions& options) const {
  Tensors found = vjp(dy);
  if (!options.allow_unused) check_reached(found);
  return found;
}

Tensors RecordedCall::run(const Tensors& dy, BackwardOptions options) const {
  check(outputs_.size() == dy.size(), "{}: expected one gradient for each of {} outputs; got {}",
        who_, outputs_.size(), dy.size());
  Tensors ys, gradients, wanted;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (!outputs_[i].defined()) continue;
    check_fits(who_, "a gradient", "output", i, outputs_[i], dy[i]);
    if (!dy[i].defined() || !outputs_[i].requires_grad()) continue;
    ys.push_back(outputs_[i]);
    gradients.push_back(dy[i]);
  }
  for (const size_t i : wanted_) wanted.push_back(fresh_[i]);
  wanted.insert(wanted.end(), outside_.begin(), outside_.end());
  Tensors result(fresh_.size() + outside_.size());
  if (ys.empty() || wanted.empty()) return result;
  Tensors found = run_backward({who_, ys, gradients, wanted, options, true});
  for (size_t k = 0; k < wanted_.size(); ++k) result[wanted_[k]] = std::move(found[k]);
  std::move(found.begin() + static_cast<std::ptrdiff_t>(wanted_.size()), found.end(),
            result.begin() + static_cast<std::ptrdiff_t>(fresh_.size()));
  return result;
}

// g(u) = J^T u is linear in u, so the vjp of g is J v wherever it is taken: at u = 0.
Tensors RecordedCall::jvp(const Tensors& v, const TransformOptions& options) const {
  check(v.size() == fresh_.size(), "{}: expected one tangent for each of {} inputs; got {}", who_,
        fresh_.size(), v.size());
  Tensors u(outputs_.size()), tangents(outputs_.size());
  for (size_t i = 0; i < u.size(); ++i)
    if (differentiable(outputs_[i])) {
      u[i] = zeros(outputs_[i].shape(), outputs_[i].dtype()).set_requires_grad();
      tangents[i] = zeros(outputs_[i].shape(), outputs_[i].dtype());
    }
  const Tensors g = recorded_vjp(u);
  if (!options.allow_unused) check_reached(g);
  Tensors linear, seeds, at;
  for (size_t i = 0; i < v.size(); ++i) {
    if (!v[i].defined()) continue;
    check_fits(who_, "a tangent", "input", i, fresh_[i], v[i]);
    if (!g[i].defined() || !g[i].requires_grad()) continue;
    linear.push_back(g[i]);
    seeds.push_back(v[i]);
  }
  if (linear.empty()) return tangents;
  std::vector<size_t> where;
  for (size_t i = 0; i < u.size(); ++i)
    if (u[i].defined()) {
      where.push_back(i);
      at.push_back(u[i]);
    }
  const Tensors found =
      run_backward({who_, linear, seeds, at, {differentiable_, differentiable_}, true});
  for (size_t k = 0; k < where.size(); ++k)
    if (found[k].defined()) tangents[where[k]] = found[k];
  return tangents;
}

// A leaf that f makes at its first call may be one that it keeps.
bool RecordedCall::is_outside(const Node& node) const {
  return node.sequence() < since_ || !node.op();
}

std::vector<const Node*> RecordedCall::nodes() const {
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> found;
  for (const size_t i : wanted_) seen.insert(node_of(fresh_[i]));  // below them are the inputs
  auto follow = [&](const Node* node) {
    if (node && !is_outside(*node) && seen.insert(node).second) found.push_back(node);
  };
  for (const Tensor& y : outputs_) follow(edge_of(y).node.get());
  for (size_t i = 0; i < found.size(); ++i)  // which grows: NOLINT(modernize-loop-convert)
    for (const Edge& e : found[i]->edges()) follow(e.node.get());
  return found;
}

void RecordedCall::check_reached(const Tensors& gradients) const {
  auto missing = [&](size_t i) { return !gradients[i].defined(); };
  if (std::none_of(wanted_.begin(), wanted_.end(), missing)) return;
  std::unordered_set<const Node*> met;
  for (const Tensor& y : outputs_) met.insert(edge_of(y).node.get());
  for (const Node* node : nodes())
    for (const Edge& e : node->edges()) met.insert(e.node.get());
  for (const size_t i : wanted_)
    if (missing(i) && !met.contains(node_of(fresh_[i]))) fail_unused(who_, "input", i, fresh_[i]);
}

Tensors RecordedCall::reached_outside() const {
  std::set<std::pair<uint64_t, int>> found;
  for (const size_t i : wanted_) found.emplace(node_of(fresh_[i])->sequence(), 0);
  Tensors reached;
  auto follow = [&](const Edge& e) {
    if (e.node && is_outside(*e.node) && found.emplace(e.node->sequence(), e.index).second)
      reached.push_back(stand_in(e.node.get(), e.index));
  };
  for (const Tensor& y : outputs_) follow(edge_of(y));
  for (const Node* node : nodes())
    for (const Edge& e : node->edges()) follow(e);
  return reached;
}

Tensors RecordedCall::saved_of_outside() const {
  std::unordered_set<const Node*> inputs;
  for (const size_t i : wanted_) inputs.insert(node_of(fresh_[i]));
  Tensors found;
  for (const Node* node : nodes())
    for (const Tensor& t : node->saved()) {
      Edge source = edge_of(t);
      while (source.node && !is_outside(*source.node) && source.node->is_view())
        source = Edge(source.node->edges()[0]);
      if (!source.node || !is_outside(*source.node) || inputs.contains(source.node.get())) continue;
      found.push_back(t.detach());
      found.back().set_slot(Ref<AutogradSlot>(source.node.get()), source.index);
    }
  return found;
}

Tensors with_zeros(Tensors gradients, const Tensors& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!gradients[i].defined() && differentiable(inputs[i]))
      gradients[i] = zeros(inputs[i].shape(), inputs[i].dtype());
  return gradients;
}

}  // namespace weft
