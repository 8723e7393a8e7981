#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/spread.h>

namespace weft {
namespace {

void check_weights(const char* who, const Tensor& weights, int rank) {
  check(weights.defined(), "{}: the weights are undefined", who);
  check(weights.dim() >= rank && is_floating(weights.dtype()),
        "{}: weights must be floating, [..., {}Tk]; got {} {}", who, rank == 2 ? "Tq, " : "",
        to_string(weights.dtype()), weights.shape());
}

}  // namespace

Tensor entropy(const Tensor& weights) {
  check_weights("entropy", weights, 1);
  const Tensor a = masked_fill(weights, eq(weights, 0), 1);  // 1 log 1 = 0, with no gradient
  return -sum(a * log(a), {-1});
}

Tensor effective_span(const Tensor& weights) {
  check_weights("effective_span", weights, 1);
  return exp(entropy(weights));
}

Tensor expected_distance(const Tensor& weights) {
  check_weights("expected_distance", weights, 2);
  const Tensor i = unsqueeze(arange(weights.size(-2), weights.dtype()), 1);
  const Tensor distance = abs(i - arange(weights.size(-1), weights.dtype()));  // [Tq, Tk]
  return sum(weights * distance, {-1});
}

}  // namespace weft
