#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/head_importance.h>

namespace weft {
namespace {

// x [B, T, D] or [T, B, D], each head's columns times its entry.
Tensor masked(const Tensor& x, const Tensor& mask, const MultiheadAttentionOptions& o) {
  const int64_t h = o.num_heads, batch = x.size(o.batch_first ? 0 : 1);
  const bool per_sentence = mask.dim() == 2;
  check(mask.shape() == (per_sentence ? Shape{batch, h} : Shape{h}),
        "mask_heads: expected a mask [{}] or [{}, {}]; got {}", h, batch, h, mask.shape());
  const Tensor by_head = reshape(x, {x.size(0), x.size(1), h, o.embed_dim / h});
  const Tensor rows = !per_sentence ? mask : unsqueeze(mask, o.batch_first ? 1 : 0);
  return reshape(by_head * unsqueeze(rows, -1), x.shape());
}

}  // namespace

Tensor head_mask_gradient(const Tensor& heads, const Tensor& gradients) {
  check(heads.defined() && gradients.defined(),
        "head_mask_gradient: heads or gradients are undefined");
  check(heads.dim() == 4 && heads.shape() == gradients.shape(),
        "head_mask_gradient: expected heads and gradients [B, H, Tq, Tk or Dh]; got {} and {}",
        heads.shape(), gradients.shape());
  return sum(heads * gradients, {2, 3});
}

Tensor head_importance(const Tensor& heads, const Tensor& gradients) {
  return mean(abs(head_mask_gradient(heads, gradients)), {0});
}

HookHandle mask_heads(MultiheadAttention& attention, const Tensor& mask) {
  check(mask.defined(), "mask_heads: the mask is undefined");
  return attention.find_module("out_proj")
      .register_forward_pre_hook([mask, o = attention.options()](ModuleCall& call) {
        *call.inputs[0] = masked(*call.inputs[0], mask, o);
      });
}

}  // namespace weft
