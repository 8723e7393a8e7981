// Is the gradient of a random graph right? It is compared with finite differences, and with the
// same gradient found in other ways, which must agree to rounding:
//   - the graph computed in another order, with hooks that change the gradient and change it back,
//     and a backward pass for each sink, summed by the leaves
//   - recorded (create_graph), where fused ops run their compositions
//   - cut in two halves, each with a graph of its own, the gradient handed over at the cut
// and the Hessian along a random direction with finite differences of the gradient.
#pragma once

#include <weft/tests/fuzz/graph.h>

namespace weft::fuzz {

/// What is wrong with the gradient of the graph, "" if nothing is. Random choices come from `seed`.
std::string fault_of(const Graph& graph, uint64_t seed);

}  // namespace weft::fuzz
