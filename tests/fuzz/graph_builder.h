// Grows a random graph, value by value. The ops that it grows by
// are in number_ops.cpp and view_ops.cpp, with settings drawn at random, and in sample_ops.cpp:
// all.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/tests/fuzz/graph.h>

namespace weft::fuzz {

class Builder {
 public:
  explicit Builder(uint64_t seed);

  /// An earlier value, more often than not a recent one.
  size_t pick();
  /// A value of this shape: one that is there, or a new leaf.
  size_t pick_or_make(const Shape& shape);
  size_t make_leaf(const Shape& shape);
  const Tensor& value(size_t i) const { return tensors_[i]; }

  /// Adds f(inputs) if its value suits: defined, small, finite and bounded. `what` is the name of
  /// the op with its settings, "softmax 1".
  void add(const std::string& what, const std::vector<size_t>& inputs,
           std::function<Tensor(const Tensors&)> f);

  int64_t below(int64_t n) { return generator_.below(n); }
  bool flip() { return below(2) == 0; }
  double uniform(double lo, double hi) { return lo + (hi - lo) * generator_.uniform(); }
  /// A dim of a tensor of rank 1 or more, now and then counted from the end.
  int dim_of(const Tensor& t);
  Tensor normal(const Shape& shape) { return randn(shape, generator_, kFloat64); }
  Tensor integers(const Shape& shape, int64_t n) { return randint(n, shape, generator_); }
  Tensor booleans(const Shape& shape, double p);
  RandomKey key() { return generator_.next_key(); }

  Graph take() { return std::move(graph_); }
  size_t size() const { return graph_.values.size(); }
  /// How many values were made by ops.
  size_t ops() const { return ops_; }

 private:
  Generator generator_;
  Graph graph_;
  size_t ops_ = 0;
  Tensors tensors_;  // of the values, outside any autograd graph
};

/// Tries to add one value; does nothing where its op does not fit.
using Maker = void (*)(Builder&);
const std::vector<Maker>& number_ops();
const std::vector<Maker>& view_ops();
const std::vector<Maker>& sample_ops();

}  // namespace weft::fuzz
