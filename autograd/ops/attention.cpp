// Attention (Vaswani et al. 2017), masked so that no NaN can arise:
//
//   S = scale q k^T + mask,  A = softmax(S) where allowed and 0 elsewhere,  y = dropout(A) v
//
// A masked score is a finite number before the softmax and its weight is set to exactly 0 after it:
// the gradient through both is exactly 0, also for a query that may attend to nothing. NaN and inf
// at a masked position reach nobody. The fused path (core/kernels/attention.h) never holds A, nor
// do its first and second derivatives; third order runs through the composition.
#include <weft/autograd/graph/named.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/attention_samples.h>
#include <weft/autograd/ops/detail/fused_attention.h>
#include <weft/autograd/ops/detail/query_heads.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/broadcast.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/elementwise.h>

#include <atomic>
#include <cmath>

namespace weft {
namespace {

extern const Op kAttention, kAttentionBackward;

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
                    const AttentionOptions& o) {
  check(q.defined() && k.defined() && v.defined(), "{}: an operand is undefined", who);
  const Shape &sq = q.shape(), &sk = k.shape(), &sv = v.shape();
  auto serves = [&](int64_t heads) {
    return heads == sq[1] || (o.enable_gqa && heads > 0 && sq[1] % heads == 0);
  };
  auto fits = [&](const Shape& s) { return s.rank() == 4 && s[0] == sq[0] && serves(s[1]); };
  check(
      sq.rank() == 4 && fits(sk) && fits(sv) && sk[1] == sv[1] && sk[3] == sq[3] && sk[2] == sv[2],
      "{}: expected q [B, H, Tq, Dh], k [B, H, Tk, Dh], v [B, H, Tk, Dv]; got {}, {}, {}", who, sq,
      sk, sv);
  check(q.dtype() == k.dtype() && q.dtype() == v.dtype(),
        "{}: q, k and v must have one dtype; got {}, {} and {}", who, to_string(q.dtype()),
        to_string(k.dtype()), to_string(v.dtype()));
  if (o.mask.defined()) check_mask(who, o.mask, {sq[0], sq[1], sq[2], sk[2]});
  check(o.dropout >= 0 && o.dropout < 1, "{}: dropout must be in [0, 1); got {}", who, o.dropout);
}

// [Tq, Tk]: query i may see keys 0..i.
Tensor lower_triangle(int64_t tq, int64_t tk) {
  return ge(unsqueeze(arange(tq), 1), unsqueeze(arange(tk), 0));
}

// What may be attended to: bool, broadcasts to [B, H, Tq, Tk]; undefined if everything may.
Tensor allowed_positions(const AttentionOptions& o, int64_t tq, int64_t tk) {
  const OpScope inside;
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

// Scores as far below the largest allowed one of their row as they are, which a softmax does not
// notice: a mask may have lowered that one to what stands for the others.
Tensor below_top(const Tensor& scores, const Tensor& allowed, const Tensor& hidden) {
  const Tensor top = [&] {
    const OpScope inside;
    return max(scores.detach(), {-1}, true);
  }();
  return where(allowed, scores - top, hidden);
}

bool all_finite(const Tensor& x) {
  const OpScope inside;
  const bool by_row = x.strides()[1] < x.strides()[2];  // as projections lie in memory, not caches
  const Tensor dense = by_row ? permute(x, {0, 2, 1, 3}) : x;  // so runs are long
  const BroadcastLoop<1> loop(dense.shape(), {&dense});
  std::atomic<bool> finite = true;
  dispatch_floating("attention", x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* p = x.data<T>();
    loop.run([&](int64_t, const auto& offset, const auto& step, int64_t n) {
      if (!kernels::all_finite<T>(p + offset[0], step[0], n)) finite = false;
    });
  });
  return finite;
}

// Whether all three are.
bool all_finite(const Tensor& q, const Tensor& k, const Tensor& v) {
  return all_finite(q) && all_finite(k) && all_finite(v);
}

bool hides(const AttentionOptions& o) { return o.mask.defined() || o.causal; }

// 1 for the rows of x [B, H, T, D] that hold a NaN or an infinity, else 0: [B, H, T].
Tensor broken_rows(const Tensor& x) {
  const OpScope inside;
  const Tensor zero = x - x;  // NaN where x is not finite
  return max(to(ne(zero, zero), kFloat32), {-1});
}

// Where what is not finite must not spread through masked positions, although 0 times NaN is NaN:
// such queries, keys and values are replaced by zeros, and a query that may attend to one, or is
// one and may attend to any, gives NaN.
AttentionWithWeights compose(const Tensor& q, const Tensor& k, const Tensor& v,
                             const AttentionOptions& o);
AttentionWithWeights compose_contained(const Tensor& q, const Tensor& k, const Tensor& v,
                                       const AttentionOptions& o, const Tensor& allowed) {
  const Tensor bad_q = unsqueeze(broken_rows(q), 3), bad_k = broken_rows(k), bad_v = broken_rows(v);
  const Tensor bad = bad_q + unsqueeze(bad_k + bad_v, 2);  // [B, H, Tq, Tk]
  const Tensor attends_bad = max(to(logical_and(allowed, gt(bad, 0)), kFloat32), {-1}, true);
  auto cleaned = [](const Tensor& x, const Tensor& bad_rows) {
    return masked_fill(x, gt(bad_rows, 0), 0);
  };
  const AttentionWithWeights found = compose(cleaned(q, bad_q), cleaned(k, unsqueeze(bad_k, 3)),
                                             cleaned(v, unsqueeze(bad_v, 3)), o);
  return {masked_fill(found.output, gt(attends_bad, 0), std::nan("")), found.weights};
}

// The definition, in primitive ops. A floating mask has q's dtype.
AttentionWithWeights compose(const Tensor& q, const Tensor& k, const Tensor& v,
                             const AttentionOptions& o) {
  const Tensor allowed = allowed_positions(o, q.size(2), k.size(2));
  if (allowed.defined() && allowed.numel() > 0 && !all_finite(q, k, v))
    return compose_contained(q, k, v, o, allowed);
  const Tensor zero = scalar(0, q.dtype());

  Tensor scores = matmul(q * detail::attention_scale(o, q), transpose(k, 2, 3));  // [B, H, Tq, Tk]
  if (o.mask.defined() && o.mask.dtype() != kBool) scores = scores + where(allowed, o.mask, zero);
  const Tensor hidden = scalar(lowest(q.dtype()), q.dtype());
  if (allowed.defined()) scores = where(allowed, scores, hidden);
  named(scores, "scores");
  if (o.mask.defined() && o.mask.dtype() != kBool && scores.numel() > 0)
    scores = below_top(scores, allowed, hidden);
  Tensor weights = softmax(scores, -1);  // [B, H, Tq, Tk]
  if (allowed.defined()) weights = where(allowed, weights, zero);
  named(weights, "weights");
  const Tensor kept = o.dropout > 0 ? dropout(weights, o.dropout, o.key) : weights;
  return {matmul(kept, v), weights};
}

AttentionOptions with_mask(const Tensor& mask, AttentionOptions o) {
  o.mask = mask;
  return o;
}

// What of a call its backward needs, mask apart from the other options.
struct SavedAttention {
  Saved q, k, v, mask;
  Saved y, top, inverse;
  AttentionOptions options;

  detail::FusedAttention read(Backward& b) const {
    return {b.saved(q), b.saved(k),   b.saved(v),      with_mask(b.saved(mask), options),
            b.saved(y), b.saved(top), b.saved(inverse)};
  }
};

// The definition as a function of q, k, v and mask.
TensorFunction composition(const AttentionOptions& o) {
  return [o](const Tensors& x) { return compose(x[0], x[1], x[2], with_mask(x[3], o)).output; };
}

// The gradients of <Q', dQ> + <K', dK> + ... by q, k, v, mask and dy, where `in` holds these five
// and then the directions Q', K' and so on, the mask's only if it has one.
Tensors composed_tangents(const Tensors& in, const AttentionOptions& o) {
  const auto directions = in.begin() + 5;
  auto gradients = [&](const Tensors& x) {
    Tensors found = vjp(composition(o), {x[0], x[1], x[2], x[3]}, {x[4]});
    found.resize(in.size() - 5);
    return found;
  };
  return vjp(gradients, {in.begin(), directions}, {directions, in.end()});
}

// The same by the kernels, as an op. Third order runs through the composition.
Tensors recorded_tangents(const detail::FusedAttention& f, const Tensor& dy,
                          const Tensors& directions) {
  const bool mask_too = directions.size() > 3;
  Tensors in{f.q, f.k, f.v, f.options.mask, dy};
  in.insert(in.end(), directions.begin(), directions.end());
  const std::vector<Saved> saved = [&] {
    std::vector<Saved> all;
    for (const Tensor& x : in) all.push_back(save(x));
    return all;
  }();
  auto drop_mask = [mask_too](Tensors all) {
    if (!mask_too) all.erase(all.begin() + 3);
    return all;
  };
  Tensors found = record_all(
      kAttentionBackward, drop_mask(detail::attention_tangents(f, dy, directions, true)), in,
      [saved, drop_mask, o = with_mask({}, f.options), mask_too](Backward& b) {
        Tensors at, d;
        for (const Saved& x : saved) at.push_back(b.saved(x));
        for (int i = 0; i < (mask_too ? 5 : 4); ++i) d.push_back(b.dy(i));
        return vjp([&](const Tensors& x) { return drop_mask(composed_tangents(x, o)); }, at, d);
      });
  if (!mask_too) found.insert(found.begin() + 3, Tensor());
  return found;
}

// The gradients as an op of q, k, v, mask and dy. Why its vjp is what the kernels call a tangent
// stands in core/kernels/attention.h.
Tensors recorded_gradients(const detail::FusedAttention& f, const Tensor& dy, bool mask_too) {
  Tensors found = detail::attention_gradients(f, dy, mask_too);
  found.resize(mask_too ? 4 : 3);
  const AttentionOptions& o = f.options;
  const SavedAttention saved{save(f.q),          save(f.k),   save(f.v),       save(o.mask),
                             save(f.y.detach()), save(f.top), save(f.inverse), with_mask({}, o)};
  found = record_all(kAttentionBackward, found, Tensors{f.q, f.k, f.v, o.mask, dy},
                     [s = saved, dy = save(dy), mask_too](Backward& b) {
                       Tensors directions{b.dy(0), b.dy(1), b.dy(2)};
                       if (mask_too) directions.push_back(b.dy(3));
                       const detail::FusedAttention call = s.read(b);
                       if (!b.first_order())
                         return recorded_tangents(call, b.saved(dy), directions);
                       const bool operands = b.needs(0) || b.needs(1) || b.needs(2) || b.needs(3);
                       return detail::attention_tangents(call, b.saved(dy), directions, operands);
                     });
  found.resize(4);
  return found;
}

Tensor fused(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& o) {
  using detail::with_dense_rows;
  detail::FusedAttention f{
      with_dense_rows(q), with_dense_rows(k), with_dense_rows(v), o, {}, {}, {}};
  detail::run_attention(f);
  const SavedAttention saved{save(f.q),        save(f.k),   save(f.v),       save(o.mask),
                             save_output(f.y), save(f.top), save(f.inverse), with_mask({}, o)};
  return record(kAttention, f.y, {f.q, f.k, f.v, o.mask}, [s = saved](Backward& b) {
    const detail::FusedAttention call = s.read(b);
    return b.first_order() ? detail::attention_gradients(call, b.dy(), b.needs(3))
                           : recorded_gradients(call, b.dy(), b.needs(3));
  });
}

// A floating mask takes q's dtype.
AttentionOptions normalized(const AttentionOptions& options, const Tensor& q) {
  AttentionOptions o = options;
  if (o.mask.defined() && o.mask.dtype() != kBool) o.mask = to(o.mask, q.dtype());
  return o;
}

}  // namespace

Tensor detail::for_query_heads(const Tensor& x, int64_t heads) {
  if (x.size(1) == heads) return x;
  const int64_t b = x.size(0), h = x.size(1), t = x.size(2), d = x.size(3);
  return reshape(expand(unsqueeze(x, 2), {b, h, heads / h, t, d}), {b, heads, t, d});
}

AttentionWithWeights attention_with_weights(const Tensor& q, const Tensor& k, const Tensor& v,
                                            const AttentionOptions& options) {
  check_operands("attention_with_weights", q, k, v, options);
  const int64_t heads = q.size(1);
  return compose(q, detail::for_query_heads(k, heads), detail::for_query_heads(v, heads),
                 normalized(options, q));
}

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options) {
  check_operands("scaled_dot_product_attention", q, key, value, options);
  const AttentionOptions o = normalized(options, q);
  const Tensor k = detail::for_query_heads(key, q.size(1)),
               v = detail::for_query_heads(value, q.size(1));
  const bool composed = q.numel() == 0 || k.numel() == 0 || (hides(o) && !all_finite(q, k, v));
  return composed ? compose(q, k, v, o).output : fused(q, k, v, o);
}

namespace {

const Op kAttention{"scaled_dot_product_attention", attention_samples};
const Op kAttentionBackward{"scaled_dot_product_attention_backward", attention_backward_samples};

}  // namespace
}  // namespace weft
