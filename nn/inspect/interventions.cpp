#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/interventions.h>

namespace weft {
namespace {

void check_fits(const char* who, const Tensor& x, DType dtype, const Shape& shape) {
  bool fits = x.dim() <= shape.rank();
  for (int d = 1; fits && d <= x.dim(); ++d)
    fits = x.size(-d) == 1 || x.size(-d) == shape[shape.rank() - d];
  check(fits && x.dtype() == dtype, "{}: expected {} that broadcasts to {}; got {} {}", who,
        to_string(dtype), shape, to_string(x.dtype()), x.shape());
}

// `in` in place of y, or of what `at` chooses of it.
Tensor replaced(const char* who, const Tensor& y, const Tensor& in, const Tensor& at) {
  check_fits(who, in, y.dtype(), y.shape());
  if (!at.defined()) return expand(in, y.shape());
  check_fits(who, at, kBool, y.shape());
  return where(at, in, y);
}

}  // namespace

Tensor edges(const Shape& shape, const std::vector<AttentionEdge>& list) {
  check(shape.rank() == 3, "edges: expected a shape [H, Tq, Tk]; got {}", shape);
  Tensor found = zeros(shape, kBool);
  bool* at = found.mutable_data<bool>("edges");
  for (const AttentionEdge& e : list) {
    auto inside = [&](int64_t i, int d) { return i >= 0 && i < shape[d]; };
    check(inside(e.head, 0) && inside(e.query, 1) && inside(e.key, 2),
          "edges: head, query and key must be inside {}; got {}, {}, {}", shape, e.head, e.query,
          e.key);
    at[(e.head * shape[1] + e.query) * shape[2] + e.key] = true;
  }
  return found;
}

HookHandle scale_weights(SoftmaxAttention& attention, const Tensor& factors) {
  check(factors.defined(), "scale_weights: the factors are undefined");
  return attention.register_weights_hook([factors](const Tensor& weights) {
    check_fits("scale_weights", factors, weights.dtype(), weights.shape());
    return weights * factors;
  });
}

HookHandle set_weights(SoftmaxAttention& attention, const Tensor& weights, const Tensor& at) {
  check(weights.defined(), "set_weights: the weights are undefined");
  return attention.register_weights_hook(
      [=](const Tensor& found) { return replaced("set_weights", found, weights, at); });
}

HookHandle patch(Module& module, const Tensor& activation, const Tensor& at) {
  check(activation.defined(), "patch: the activation is undefined");
  return module.register_forward_hook([=](ModuleCall& call) {
    check(!call.outputs.empty(), "patch: the module has no output that is a tensor");
    Tensor& y = *call.outputs[0];
    y = replaced("patch", y, activation, at);
  });
}

}  // namespace weft
