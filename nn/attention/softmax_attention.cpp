#include <weft/autograd/graph/named.h>
#include <weft/autograd/ops/detail/query_heads.h>
#include <weft/core/detail/check.h>
#include <weft/nn/attention/softmax_attention.h>
#include <weft/nn/detail/hook_list.h>

namespace weft {

struct SoftmaxAttention::InnerHooks {
  detail::HookList<AttentionHook> step;
  detail::HookList<WeightsHook> weights;
};

SoftmaxAttention::InnerHooks& SoftmaxAttention::inner_hooks() {
  if (!inner_hooks_) inner_hooks_ = std::make_shared<InnerHooks>();
  return *inner_hooks_;
}

HookHandle SoftmaxAttention::register_attention_hook(AttentionHook hook) {
  return inner_hooks().step.add(std::move(hook));
}

HookHandle SoftmaxAttention::register_weights_hook(WeightsHook hook) {
  return inner_hooks().weights.add(std::move(hook));
}

namespace {

// What no query weighs must not spread, although 0 times NaN is NaN: such values are zeros.
Tensor contained(const Tensor& v, const Tensor& weights) {
  if (weights.numel() == 0) return v;
  const Tensor zero = v.detach() - v.detach();  // NaN where v is not finite
  const Tensor broken = max(to(ne(zero, zero), kFloat32), {-1});
  if (max(broken).item() == 0) return v;
  const Tensor weighed = max(to(ne(weights.detach(), 0), kFloat32), {2});  // [B, H, Tk]
  return masked_fill(v, unsqueeze(gt(broken, weighed), 3), 0);
}

// The fused path has no weights: a call, or Intermediates, may ask for them.
bool needs_weights(AttentionWeights form) {
  return form != AttentionWeights::none || is_wanted("weights") || is_wanted("scores");
}

Tensor in_form(const Tensor& weights, AttentionWeights form) {
  if (form == AttentionWeights::none) return {};
  return form == AttentionWeights::averaged ? mean(weights, {1}) : weights;
}

}  // namespace

// Puts weights hooks between softmax and dropout.
void SoftmaxAttention::edit_weights(AttentionStep& step) const {
  for (const auto& hook : inner_hooks_->weights.all()) {
    step.weights = (*hook)(step.weights);
    check(step.weights.defined() && step.weights.shape() == step.softmax.shape(),
          "attention: a weights hook must return weights {}; got {}", step.softmax.shape(),
          step.weights.defined() ? to_string(step.weights.shape()) : "an undefined tensor");
  }
  const Tensor v = detail::for_query_heads(step.v, step.q.size(1));
  step.output = matmul(dropout(step.weights, step.options.dropout, step.options.key),
                       contained(v, step.weights));
}

AttentionResult SoftmaxAttention::attend(AttentionStep step, AttentionWeights form) const {
  const bool edited = inner_hooks_ && !inner_hooks_->weights.empty();
  if (needs_weights(form) || edited) {
    const auto found = attention_with_weights(step.q, step.k, step.v, step.options);
    step.softmax = step.weights = found.weights;
    step.output = found.output;
  } else {
    step.output = scaled_dot_product_attention(step.q, step.k, step.v, step.options);
  }
  if (edited) edit_weights(step);
  if (inner_hooks_)
    for (const auto& hook : inner_hooks_->step.all()) (*hook)(step);
  return {step.output, in_form(step.weights, form)};
}

}  // namespace weft
