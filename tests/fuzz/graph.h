// Random graphs of ops, kept as data, so that one graph can be computed in several orders and
// printed. A graph is a list of values; each is a leaf, or made by an op from values before it.
#pragma once

#include <weft/core/random.h>
#include <weft/core/tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace weft::fuzz {

struct Value {
  std::string text;            ///< as in "softmax(v3, 1)"
  std::vector<size_t> inputs;  ///< numbers of values
  std::function<Tensor(const Tensors&)> f;
  Tensor leaf;  ///< float64; undefined unless this is a leaf, which has no f
};

struct Graph {
  std::vector<Value> values;

  /// Numbers of the leaves, and of the values that no other value is made of.
  std::vector<size_t> leaves() const;
  std::vector<size_t> sinks() const;
};

/// A graph with `steps` results of ops. The same seed with fewer steps gives a beginning of the
/// same graph. Values stay within reach of finite differences: bounded, and away from kinks and
/// ties.
Graph random_graph(uint64_t seed, int64_t steps);

/// A line per value.
std::string to_string(const Graph& graph);

}  // namespace weft::fuzz
