// A sum whose additions have one order, wherever its terms are: terms 2i and 2i + 1 are added
// first, then such pairs, and so on; what is left over is added from the last to the first. Any
// process can add up the terms that it has as far as they are neighbours, and the whole has the
// same bits however they were shared out.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace weft {

/// The sum of `count` terms from number `first` on: a power of two, which divides `first`.
template <class Value>
struct PartialSum {
  int64_t first, count;
  Value value;
};

/// Takes the terms in the order of their numbers, from any one on. `Add` is called as
/// add(into, from).
template <class Value, class Add>
class PairwiseSum {
 public:
  explicit PairwiseSum(Add add) : add_(std::move(add)) {}

  void push(PartialSum<Value> next) {
    while (!sums_.empty() && make_a_pair(sums_.back(), next)) {
      add_(sums_.back().value, next.value);
      next = {sums_.back().first, 2 * next.count, std::move(sums_.back().value)};
      sums_.pop_back();
    }
    sums_.push_back(std::move(next));
  }

  /// What stays apart until the terms before or after are there.
  const std::vector<PartialSum<Value>>& partial_sums() const { return sums_; }

  /// The sum of all. There must have been a term, and the first must have been number 0.
  Value total() {
    Value sum = std::move(sums_.back().value);
    for (sums_.pop_back(); !sums_.empty(); sums_.pop_back()) {
      add_(sums_.back().value, sum);
      sum = std::move(sums_.back().value);
    }
    return sum;
  }

 private:
  static bool make_a_pair(const PartialSum<Value>& left, const PartialSum<Value>& right) {
    return left.count == right.count && left.first % (2 * left.count) == 0;
  }

  Add add_;
  std::vector<PartialSum<Value>> sums_;
};

}  // namespace weft
