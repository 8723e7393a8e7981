#include <weft/autograd/ops.h>
#include <weft/nn/inspect/detail/length.h>
#include <weft/nn/inspect/detail/per_head.h>
#include <weft/nn/inspect/detail/values.h>
#include <weft/nn/inspect/norm_weights.h>

namespace weft {
namespace {

constexpr const char* kNormWeights = "norm_weights";

void check_shapes(const Tensor& weights, const Tensor& values, const Tensor& out_weight) {
  detail::check_per_head(kNormWeights, weights);
  check(values.defined() && out_weight.defined(),
        "norm_weights: values or out_weight is undefined");
  const Shape &w = weights.shape(), &v = values.shape(), &o = out_weight.shape();
  check(v.rank() == 4 && v[0] == w[0] && v[1] == w[1] && v[2] == w[3] && o.rank() == 2 &&
            o[1] == v[1] * v[3],
        "norm_weights: expected weights [B, H, Tq, Tk], values [B, H, Tk, Dv], out_weight "
        "[D, H Dv]; got {}, {}, {}",
        w, v, o);
}

}  // namespace

NormWeights norm_weights(const Tensor& weights, const Tensor& values, const Tensor& out_weight) {
  check_shapes(weights, values, out_weight);
  const Tensor transformed = detail::projected_by_head(values, out_weight);  // f_h(x_j)
  const Tensor added = einsum("bhqk,bhkd->bqkd", {weights, transformed});
  return {abs(weights) * unsqueeze(detail::length_of(transformed), 2), detail::length_of(added)};
}

NormWeights norm_weights(MultiheadAttention& attention, const Tensor& value,
                         const Tensor& weights) {
  return norm_weights(weights, detail::values_of(kNormWeights, attention, value),
                      attention.find("out_proj.weight"));
}

}  // namespace weft
