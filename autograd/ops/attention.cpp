// Attention, step by step (Vaswani et al. 2017), masked so that no NaN can arise:
//
//   S = scale q k^T + mask,  A = softmax(S) where allowed and 0 elsewhere,  y = dropout(A) v
//
// A masked score is a finite number before the softmax and its weight is set to exactly 0 after it:
// the gradient through both is exactly 0, also for a query that may attend to nothing.
#include <weft/autograd/op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/attention_samples.h>
#include <weft/core/check.h>

#include <cmath>

namespace weft {
namespace {

const Op kAttention{"scaled_dot_product_attention", attention_samples};

void check_mask(const char* who, const Tensor& mask, const Shape& scores) {
  bool fits = mask.dim() <= scores.rank();
  for (int d = 1; fits && d <= mask.dim(); ++d)
    fits = mask.size(-d) == 1 || mask.size(-d) == scores[scores.rank() - d];
  check(fits, "{}: the mask must broadcast to [B, H, Tq, Tk] = {}; got {}", who, scores,
        mask.shape());
  check(mask.dtype() == kBool || is_floating(mask.dtype()),
        "{}: the mask must be bool (true: may attend) or floating (added); got {}", who,
        to_string(mask.dtype()));
}

void check_operands(const char* who, const Tensor& q, const Tensor& k, const Tensor& v,
                    const Tensor& mask) {
  check(q.defined() && k.defined() && v.defined(), "{}: an operand is undefined", who);
  const Shape &sq = q.shape(), &sk = k.shape(), &sv = v.shape();
  auto fits = [&](const Shape& s) { return s.rank() == 4 && s[0] == sq[0] && s[1] == sq[1]; };
  check(sq.rank() == 4 && fits(sk) && fits(sv) && sk[3] == sq[3] && sk[2] == sv[2],
        "{}: expected q [B, H, Tq, Dh], k [B, H, Tk, Dh], v [B, H, Tk, Dv]; got {}, {}, {}", who,
        sq, sk, sv);
  check(q.dtype() == k.dtype() && q.dtype() == v.dtype(),
        "{}: q, k and v must have one dtype; got {}, {} and {}", who, to_string(q.dtype()),
        to_string(k.dtype()), to_string(v.dtype()));
  if (mask.defined()) check_mask(who, mask, {sq[0], sq[1], sq[2], sk[2]});
}

// [Tq, Tk]: query i may see keys 0..i.
Tensor lower_triangle(int64_t tq, int64_t tk) {
  return ge(unsqueeze(arange(tq), 1), unsqueeze(arange(tk), 0));
}

// What may be attended to: bool, broadcasts to [B, H, Tq, Tk]; undefined if everything may.
Tensor allowed_positions(const AttentionOptions& o, int64_t tq, int64_t tk) {
  NoGrad no_grad;
  Tensor allowed;
  if (o.mask.defined())
    allowed = o.mask.dtype() == kBool
                  ? o.mask
                  : ne(o.mask.detach(), -std::numeric_limits<double>::infinity());
  if (!o.causal) return allowed;
  const Tensor past = lower_triangle(tq, tk);
  return allowed.defined() ? logical_and(allowed, past) : past;
}

double lowest(DType dtype) {
  return dtype == kFloat32 ? static_cast<double>(std::numeric_limits<float>::lowest())
                           : std::numeric_limits<double>::lowest();
}

AttentionWithWeights compose(const Tensor& q, const Tensor& k, const Tensor& v,
                             const AttentionOptions& o) {
  const double scale = o.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(3))));
  const Tensor allowed = allowed_positions(o, q.size(2), k.size(2));
  const Tensor zero = scalar(0, q.dtype());

  Tensor scores = matmul(q * scale, transpose(k, 2, 3));  // [B, H, Tq, Tk]
  if (o.mask.defined() && o.mask.dtype() != kBool)
    scores = scores + where(allowed, to(o.mask, q.dtype()), zero);
  if (allowed.defined()) scores = where(allowed, scores, scalar(lowest(q.dtype()), q.dtype()));
  Tensor weights = softmax(scores, -1);  // [B, H, Tq, Tk]
  if (allowed.defined()) weights = where(allowed, weights, zero);
  const Tensor kept = o.dropout > 0 ? dropout(weights, o.dropout, o.key) : weights;
  return {matmul(kept, v), weights};
}

}  // namespace

AttentionWithWeights attention_with_weights(const Tensor& q, const Tensor& k, const Tensor& v,
                                            const AttentionOptions& options) {
  check_operands("attention_with_weights", q, k, v, options.mask);
  return compose(q, k, v, options);
}

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options) {
  check_operands("scaled_dot_product_attention", q, k, v, options.mask);
  return compose(q, k, v, options).output;
}

}  // namespace weft
