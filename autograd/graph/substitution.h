// Other tensors in the place of some, for a scope: what functional_call() is made of.
#pragma once

#include <weft/core/tensor.h>

#include <vector>

namespace weft {

/// While one lives, every handle of `tensor` is what `stand_in` is: its elements and its place in
/// the graph. What is recorded meanwhile stays good when the scope is over; backward through a
/// graph that had saved `tensor` before is an Error within it. Scopes nest, and hold for all
/// threads.
class Substitution {
 public:
  struct Pair {
    Tensor tensor, stand_in;
  };
  explicit Substitution(const std::vector<Pair>& pairs);
  ~Substitution();
  Substitution(const Substitution&) = delete;
  Substitution& operator=(const Substitution&) = delete;

  /// What this thread has put in place of what at present.
  static std::vector<Pair> in_force();

 private:
  std::vector<Pair> pairs_;  // stand_in: what the tensor was
  const Substitution* before_;
};

/// `t`, or a handle of its own on what stands in for it at present: that outlives the scope.
Tensor as_of_now(const Tensor& t);

}  // namespace weft
