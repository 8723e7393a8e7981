#include <weft/autograd/ops.h>
#include <weft/nn/attention/heads.h>
#include <weft/nn/inspect/detail/length.h>
#include <weft/nn/inspect/detail/per_head.h>
#include <weft/nn/inspect/norm_weights.h>

namespace weft {
namespace {

constexpr const char* kWho = "norm_weights";

void check_shapes(const Tensor& weights, const Tensor& values, const Tensor& out_weight) {
  detail::check_per_head(kWho, weights);
  check(values.defined() && out_weight.defined(),
        "norm_weights: values or out_weight is undefined");
  const Shape &w = weights.shape(), &v = values.shape(), &o = out_weight.shape();
  check(v.rank() == 4 && v[0] == w[0] && v[1] == w[1] && v[2] == w[3] && o.rank() == 2 &&
            o[1] == v[1] * v[3],
        "norm_weights: expected weights [B, H, Tq, Tk], values [B, H, Tk, Dv], out_weight "
        "[D, H Dv]; got {}, {}, {}",
        w, v, o);
}

// Values of a call, [B, H, Tk, Dv].
Tensor project_values(const MultiheadAttention& attention, const Tensor& value) {
  const int64_t d = attention.options().embed_dim;
  const Tensor weight = attention.in_proj_weight.defined()
                            ? slice(attention.in_proj_weight, 0, 2 * d)
                            : attention.v_proj_weight;
  const Tensor bias =
      attention.in_proj_bias.defined() ? slice(attention.in_proj_bias, 0, 2 * d) : Tensor();
  const Tensor x = attention.options().batch_first ? value : transpose(value, 0, 1);
  return split_heads(linear(x, weight, bias), attention.options().num_heads);
}

}  // namespace

NormWeights norm_weights(const Tensor& weights, const Tensor& values, const Tensor& out_weight) {
  check_shapes(weights, values, out_weight);
  const int64_t d = out_weight.size(0), h = values.size(1), dv = values.size(3);
  const Tensor transformed =  // f_h(x_j), [B, H, Tk, D]
      einsum("bhkv,dhv->bhkd", {values, reshape(out_weight, {d, h, dv})});
  const Tensor added = einsum("bhqk,bhkd->bqkd", {weights, transformed});
  return {abs(weights) * unsqueeze(detail::length_of(transformed), 2), detail::length_of(added)};
}

NormWeights norm_weights(MultiheadAttention& attention, const Tensor& value,
                         const Tensor& weights) {
  const MultiheadAttentionOptions& o = attention.options();
  check(!o.add_bias_kv && !o.add_zero_attn,
        "norm_weights: keys that add_bias_kv or add_zero_attn adds stand for no position");
  const int64_t width = o.vdim.value_or(o.embed_dim);
  check(value.defined() && value.dim() == 3 && value.size(2) == width,
        "norm_weights: expected value [{}, {}]; got {}", o.batch_first ? "B, Tk" : "Tk, B", width,
        value.defined() ? to_string(value.shape()) : "an undefined one");
  return norm_weights(weights, project_values(attention, value), attention.find("out_proj.weight"));
}

}  // namespace weft
