#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/attention/heads.h>
#include <weft/nn/inspect/detail/values.h>

namespace weft::detail {

Tensor values_of(const char* who, const MultiheadAttention& attention, const Tensor& value) {
  const MultiheadAttentionOptions& o = attention.options();
  check(!o.add_bias_kv && !o.add_zero_attn,
        "{}: keys that add_bias_kv or add_zero_attn adds stand for no position", who);
  const int64_t width = o.vdim.value_or(o.embed_dim), d = o.embed_dim;
  check(value.defined() && value.dim() == 3 && value.size(2) == width,
        "{}: expected value [{}, {}]; got {}", who, o.batch_first ? "B, Tk" : "Tk, B", width,
        value.defined() ? to_string(value.shape()) : "an undefined one");
  const Tensor weight = attention.in_proj_weight.defined()
                            ? slice(attention.in_proj_weight, 0, 2 * d)
                            : attention.v_proj_weight;
  const Tensor bias =
      attention.in_proj_bias.defined() ? slice(attention.in_proj_bias, 0, 2 * d) : Tensor();
  const Tensor x = o.batch_first ? value : transpose(value, 0, 1);
  return split_heads(linear(x, weight, bias), o.num_heads);
}

Tensor projected_by_head(const Tensor& values, const Tensor& out_weight) {
  const int64_t d = out_weight.size(0), h = values.size(1), dv = values.size(3);
  return einsum("bhkv,dhv->bhkd", {values, reshape(out_weight, {d, h, dv})});
}

}  // namespace weft::detail
