#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/tests/fuzz/graph_check.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weft::fuzz {
namespace {

constexpr double kRounding = 1e-9;     // between two ways to the same gradient
constexpr double kDifferences = 1e-6;  // between a gradient and finite differences

double norm(const Tensors& ts) {
  double total = 0;
  for (const Tensor& t : ts) total += sum(t.detach() * t.detach()).item();
  return std::sqrt(total);
}

double dot(const Tensors& a, const Tensors& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += sum(a[i].detach() * b[i].detach()).item();
  return total;
}

class Checker {
 public:
  Checker(const Graph& graph, uint64_t seed)
      : graph_(graph), generator_(seed), leaves_(graph.leaves()), sinks_(graph.sinks()) {
    NoGrad no_grad;
    const Tensors values = evaluate(leaf_tensors(false), in_order());
    for (size_t s : sinks_) cotangents_.push_back(randn(values[s].shape(), generator_, kFloat64));
    for (size_t leaf : leaves_)
      directions_.push_back(randn(graph_.values[leaf].leaf.shape(), generator_, kFloat64));
  }

  std::string run() {
    const Tensors leaves = leaf_tensors(true);
    expected_ = gradients(evaluate(leaves, in_order()), leaves, false);
    scale_ = std::max(1.0, norm(expected_));
    std::string fault = compare_differences();
    if (fault.empty()) fault = compare("another order", in_another_order());
    if (fault.empty()) fault = compare("two halves", in_halves());
    if (fault.empty()) fault = compare_second_order();
    return fault;
  }

 private:
  std::vector<size_t> in_order() const {
    std::vector<size_t> order(graph_.values.size());
    std::iota(order.begin(), order.end(), size_t{0});
    return order;
  }

  // Another order in which every value comes after those that it is made of.
  std::vector<size_t> shuffled_order() {
    std::vector<size_t> missing(graph_.values.size()), ready, order;
    std::vector<std::vector<size_t>> users(graph_.values.size());
    for (size_t i = 0; i < missing.size(); ++i) {
      missing[i] = graph_.values[i].inputs.size();
      for (size_t input : graph_.values[i].inputs) users[input].push_back(i);
      if (missing[i] == 0) ready.push_back(i);
    }
    while (!ready.empty()) {
      const auto at = static_cast<size_t>(generator_.below(static_cast<int64_t>(ready.size())));
      const size_t next = ready[at];
      ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(at));
      order.push_back(next);
      for (size_t user : users[next])
        if (--missing[user] == 0) ready.push_back(user);
    }
    return order;
  }

  // The leaves, in the layout that the graph has them in.
  Tensors leaf_tensors(bool requires_grad) const {
    Tensors leaves;
    for (size_t i : leaves_) leaves.push_back(graph_.values[i].leaf.detach());
    for (Tensor& t : leaves) t.set_requires_grad(requires_grad);
    return leaves;
  }

  Tensors apply_inputs(const Value& v, const Tensors& values) const {
    Tensors in;
    for (size_t i : v.inputs) in.push_back(values[i]);
    return in;
  }

  Tensors evaluate(const Tensors& leaves, const std::vector<size_t>& order) const {
    Tensors values(graph_.values.size());
    for (size_t i = 0; i < leaves.size(); ++i) values[leaves_[i]] = leaves[i];
    for (size_t i : order)
      if (const Value& v = graph_.values[i]; v.f) values[i] = v.f(apply_inputs(v, values));
    return values;
  }

  // Gradients of the sinks, weighted by the cotangents; zeros where a sink does not depend.
  Tensors gradients(const Tensors& values, const Tensors& inputs, bool record) const {
    Tensors outputs, seeds;
    for (size_t i = 0; i < sinks_.size(); ++i)
      if (values[sinks_[i]].requires_grad()) {
        outputs.push_back(values[sinks_[i]]);
        seeds.push_back(cotangents_[i]);
      }
    Tensors found = grad(outputs, inputs,
                         {.grad_outputs = seeds, .create_graph = record, .allow_unused = true});
    for (size_t i = 0; i < found.size(); ++i)
      if (!found[i].defined()) found[i] = zeros(inputs[i].shape(), kFloat64);
    return found;
  }

  std::string compare(const char* what, const Tensors& found) const {
    for (size_t i = 0; i < found.size(); ++i) {
      const double error = max(abs(found[i].detach() - expected_[i])).item() / scale_;
      if (!(error <= kRounding))
        return fmt::format("{}: the gradient of v{} differs by {:.3g} of {:.3g}", what, leaves_[i],
                           error * scale_, scale_);
    }
    return "";
  }

  // `value` as a function of one leaf moved along its direction: the derivative by differences of
  // order 4, with the step that fits best. A wrong gradient fits none.
  template <class F>
  std::string compare_along(const char* what, F value, const Tensors& analytic,
                            double scale) const {
    for (size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
      const double exact = dot({analytic[leaf]}, {directions_[leaf]});
      double best = std::numeric_limits<double>::infinity(), numeric = 0;
      for (double h : {1e-3, 1e-4, 1e-5, 1e-6}) {
        const double slope =
            (8 * (value(leaf, h) - value(leaf, -h)) - (value(leaf, 2 * h) - value(leaf, -2 * h))) /
            (12 * h);
        if (std::abs(slope - exact) < best) {
          best = std::abs(slope - exact);
          numeric = slope;
        }
        if (best <= kDifferences * scale) break;
      }
      if (!(best <= kDifferences * scale))
        return fmt::format("{}: along a direction of v{}: analytic {:.9g}, numeric {:.9g}", what,
                           leaves_[leaf], exact, numeric);
    }
    return "";
  }

  Tensors moved(size_t leaf, double h) const {
    NoGrad no_grad;
    Tensors leaves = leaf_tensors(false);
    leaves[leaf] = leaves[leaf] + directions_[leaf] * h;
    return leaves;
  }

  std::string compare_differences() const {
    auto value = [&](size_t leaf, double h) {
      NoGrad no_grad;
      const Tensors values = evaluate(moved(leaf, h), in_order());
      Tensors outputs;
      for (size_t s : sinks_) outputs.push_back(values[s]);
      return dot(outputs, cotangents_);
    };
    return compare_along("finite differences", value, expected_, scale_);
  }

  // Twice the gradient and then half of it, in another handle and layout: no change, bit for bit.
  void add_hooks(Tensor& t) {
    t.register_hook([](const Tensor& g) { return g * 2; });
    t.register_hook([](const Tensor& g) {
      if (g.dim() < 2) return g / 2;
      return transpose(contiguous(transpose(g, 0, 1)), 0, 1) / 2;
    });
    t.retain_grad();
  }

  Tensors in_another_order() {
    const Tensors leaves = leaf_tensors(true);
    Tensors values = evaluate(leaves, shuffled_order());
    for (Tensor& t : values)
      if (t.requires_grad() && generator_.below(3) == 0) add_hooks(t);
    for (size_t i = 0; i < sinks_.size(); ++i)
      if (values[sinks_[i]].requires_grad())
        values[sinks_[i]].backward(cotangents_[i], {.retain_graph = true});
    Tensors found;
    for (const Tensor& t : leaves)
      found.push_back(t.grad().defined() ? t.grad() : zeros(t.shape(), kFloat64));
    return found;
  }

  // The values before the cut are made once with a graph, and once more as leaves of the second.
  Tensors in_halves() {
    const size_t n = graph_.values.size();
    const auto cut = static_cast<size_t>(generator_.below(static_cast<int64_t>(n)));
    const Tensors leaves = leaf_tensors(true);
    const Tensors first = evaluate(leaves, in_order());
    Tensors second(n), border;
    for (size_t i = 0; i < n; ++i) {
      const Value& v = graph_.values[i];
      const bool inside = v.f && i >= cut;
      second[i] = inside ? v.f(apply_inputs(v, second)) : first[i].detach().set_requires_grad();
      if (!inside) border.push_back(second[i]);
    }
    const Tensors at_border = gradients(second, border, false);
    Tensors outputs, seeds;
    for (size_t i = 0, next = 0; i < n; ++i) {
      if (graph_.values[i].f && i >= cut) continue;
      const Tensor& seed = at_border[next++];
      if (!first[i].requires_grad()) continue;
      outputs.push_back(first[i]);
      seeds.push_back(seed);
    }
    return grad(outputs, leaves, {.grad_outputs = seeds});
  }

  std::string compare_second_order() {
    const Tensors leaves = leaf_tensors(true);
    const Tensors recorded = gradients(evaluate(leaves, in_order()), leaves, true);
    std::string fault = compare("recorded", recorded);
    if (!fault.empty()) return fault;
    Tensors outputs, seeds, weights;
    for (const Tensor& g : recorded) {
      weights.push_back(randn(g.shape(), generator_, kFloat64));
      if (!g.requires_grad()) continue;
      outputs.push_back(g);
      seeds.push_back(weights.back());
    }
    if (outputs.empty()) return "";
    Tensors analytic = grad(outputs, leaves, {.grad_outputs = seeds, .allow_unused = true});
    for (size_t i = 0; i < analytic.size(); ++i)
      if (!analytic[i].defined()) analytic[i] = zeros(leaves[i].shape(), kFloat64);
    auto value = [&](size_t leaf, double h) {
      Tensors at = moved(leaf, h);
      for (Tensor& t : at) t.set_requires_grad();
      return dot(gradients(evaluate(at, in_order()), at, false), weights);
    };
    return compare_along("second order", value, analytic, std::max(scale_, norm(analytic)));
  }

  const Graph& graph_;
  Generator generator_;
  const std::vector<size_t> leaves_, sinks_;
  Tensors cotangents_;  // of the sinks
  Tensors directions_;  // of the leaves
  Tensors expected_;    // gradients of the leaves
  double scale_ = 1;
};

}  // namespace

std::string fault_of(const Graph& graph, uint64_t seed) {
  try {
    return Checker(graph, seed).run();
  } catch (const std::exception& e) {
    return fmt::format("threw: {}", e.what());
  }
}

}  // namespace weft::fuzz
