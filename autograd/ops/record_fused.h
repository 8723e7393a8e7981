// Recording fused ops: a loop that computes what several ops would, and its gradient.
#pragma once

#include <weft/autograd/graph/op.h>
#include <weft/autograd/transforms/grad.h>

#include <utility>
#include <vector>

namespace weft {

/// record() for a fused op: one with a fast gradient of its own, and a composition of other ops
/// that it equals. `fast(Backward&, const Tensors& inputs)` returns one gradient per input; where
/// the gradient must itself be differentiable, the vjp of `composition(inputs)` takes its place.
template <class Composition, class Fast>
Tensor record_fused(const Op& op, Tensor y, const Tensors& inputs, Composition composition,
                    Fast fast) {
  if (detail::wants_record(inputs)) {
    std::vector<Saved> kept;
    for (const Tensor& x : inputs) kept.push_back(save(x));
    detail::attach(op, {&y, 1}, inputs,
                   [kept = std::move(kept), composition = std::move(composition),
                    fast = std::move(fast)](Backward& b) -> Tensors {
                     Tensors in;
                     for (const Saved& s : kept) in.push_back(b.saved(s));
                     if (!grad_enabled()) return {fast(b, in)};
                     auto f = [&](const Tensors& x) { return Tensors{composition(x)}; };
                     return vjp(f, in, {b.dy()}, {.allow_unused = true});
                   });
  }
  detail::show(op, {&y, 1}, inputs);
  return y;
}

}  // namespace weft
