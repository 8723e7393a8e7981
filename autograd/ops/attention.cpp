// Attention (Vaswani et al. 2017), masked so that no NaN can arise:
//
//   S = scale q k^T + mask,  A = softmax(S) where allowed and 0 elsewhere,  y = dropout(A) v
//
// A masked score is a finite number before the softmax and its weight is set to exactly 0 after it:
// the gradient through both is exactly 0, also for a query that may attend to nothing. NaN and inf
// at a masked position reach nobody. The fused path (core/kernels/attention.h) never holds A;
// second order runs through the composition.
#include <weft/autograd/graph/named.h>
#include <weft/autograd/graph/op.h>
#include <weft/autograd/ops.h>
#include <weft/autograd/ops/detail/attention_samples.h>
#include <weft/autograd/ops/detail/query_heads.h>
#include <weft/autograd/transforms/grad.h>
#include <weft/core/broadcast.h>
#include <weft/core/detail/check.h>
#include <weft/core/kernels/attention.h>
#include <weft/core/kernels/elementwise.h>

#include <atomic>
#include <cmath>

namespace weft {
namespace {

extern const Op kAttention;

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

double scale_of(const AttentionOptions& o, const Tensor& q) {
  return o.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(3))));
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

// Whether y stands behind x in each row, as the parts of one packed projection do.
bool neighbours(const Tensor& x, const Tensor& y) {
  const auto row = static_cast<size_t>(x.size(1) * x.size(3)) * size_of(x.dtype());
  return x.same_storage(y) && x.shape() == y.shape() && x.strides() == y.strides() &&
         x.strides()[1] == x.size(3) && y.raw() == static_cast<const char*>(x.raw()) + row;
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

  Tensor scores = matmul(q * scale_of(o, q), transpose(k, 2, 3));  // [B, H, Tq, Tk]
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

// The kernels want the last dim contiguous, and nothing else.
Tensor with_dense_rows(const Tensor& x) {
  return x.size(3) == 1 || x.strides()[3] == 1 ? x : contiguous(x);
}

// Uninitialized [B, H, T, width], `parts` of them, laid out so that merging the heads of a tensor
// like `x` into [B, T, H width] or [T, B, H width], whichever x was split from, is a view; the
// parts stand one after another in each row, as in a packed projection.
Tensors heads_like(const Tensor& x, int64_t width, int64_t parts = 1) {
  const int64_t b = x.size(0), h = x.size(1), t = x.size(2), all = parts * h * width;
  const bool batch_inside = b > 1 && x.strides()[2] > x.strides()[0];
  const Shape strides{batch_inside ? all : t * all, width, batch_inside ? b * all : all, 1};
  const Tensor memory({b, t, all}, x.dtype());
  Tensors views;
  for (int64_t i = 0; i < parts; ++i)
    views.push_back(memory.strided_view({b, h, t, width}, strides, i * h * width));
  return views;
}

// Room for the gradients of q, k and v: packed where these are, so that nobody has to join them.
Tensors gradient_rooms(const Tensor& q, const Tensor& k, const Tensor& v) {
  if (!neighbours(k, v))
    return {heads_like(q, q.size(3))[0], heads_like(k, k.size(3))[0], heads_like(v, v.size(3))[0]};
  if (neighbours(q, k)) return heads_like(q, q.size(3), 3);
  const Tensors memory = heads_like(k, k.size(3), 2);
  return {heads_like(q, q.size(3))[0], memory[0], memory[1]};
}

kernels::HeadStrides head_strides(const Tensor& x) {
  return {x.strides()[0], x.strides()[1], x.strides()[2]};
}

template <class T>
T* writable(const Tensor& x) {
  return static_cast<T*>(x.raw());
}

template <class T>
kernels::Attention<T> describe(const Tensor& q, const Tensor& k, const Tensor& v,
                               const AttentionOptions& o) {
  kernels::Attention<T> a;
  a.batch = q.size(0), a.heads = q.size(1), a.queries = q.size(2), a.keys = k.size(2);
  a.width = q.size(3), a.value_width = v.size(3);
  a.q = q.data<T>(), a.k = k.data<T>(), a.v = v.data<T>();
  a.q_at = head_strides(q), a.k_at = head_strides(k), a.v_at = head_strides(v);
  a.scale = scale_of(o, q);
  a.causal = o.causal;
  a.dropout = o.dropout;
  a.key = o.key;
  if (!o.mask.defined()) return a;
  const OpScope inside;
  const Shape at = expand(o.mask, {a.batch, a.heads, a.queries, a.keys}).strides();
  const kernels::MaskStrides steps{at[0], at[1], at[2], at[3]};
  if (o.mask.dtype() == kBool)
    a.allowed = o.mask.data<bool>(), a.allowed_at = steps;
  else
    a.bias = o.mask.data<T>(), a.bias_at = steps;
  return a;
}

struct SavedAttention {
  Saved q, k, v, mask;
  Saved y;
  Saved top, inverse;        // [B, H, Tq]: kernels::SoftmaxRows
  AttentionOptions options;  // but for the mask
};

AttentionOptions with_mask(const Tensor& mask, AttentionOptions o) {
  o.mask = mask;
  return o;
}

Tensors fused_backward(const SavedAttention& s, Backward& b, const Tensors& in) {
  const Tensor &q = in[0], &k = in[1], &v = in[2];
  const AttentionOptions o = with_mask(in[3], s.options);
  const Tensor y = b.saved(s.y), top = b.saved(s.top), inverse = b.saved(s.inverse),
               dy = with_dense_rows(b.dy());
  const Tensors rooms = gradient_rooms(q, k, v);
  const Tensor &dq = rooms[0], &dk = rooms[1], &dv = rooms[2];
  const Tensor dmask =
      b.needs(3) ? Tensor({q.size(0), q.size(1), q.size(2), k.size(2)}, q.dtype()) : Tensor();
  dispatch_floating("scaled_dot_product_attention", q.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::AttentionGrad<T> g;
    g.y = y.data<T>(), g.dy = dy.data<T>();
    g.top = top.data<T>(), g.inverse = inverse.data<T>();
    g.y_at = head_strides(y), g.dy_at = head_strides(dy);
    g.dq = writable<T>(dq), g.dk = writable<T>(dk), g.dv = writable<T>(dv);
    g.dq_at = head_strides(dq), g.dk_at = head_strides(dk), g.dv_at = head_strides(dv);
    if (dmask.defined()) g.dbias = writable<T>(dmask);
    kernels::attention_grad(describe<T>(q, k, v, o), g);
  });
  return {dq, dk, dv, dmask.defined() ? sum_to(dmask, o.mask.shape()) : dmask};
}

Tensor fused(const Tensor& query, const Tensor& key, const Tensor& value,
             const AttentionOptions& o) {
  const Tensor q = with_dense_rows(query), k = with_dense_rows(key), v = with_dense_rows(value);
  const Tensor y = heads_like(q, v.size(3))[0];  // [B, H, Tq, Dv]
  const Shape rows{q.size(0), q.size(1), q.size(2)};
  const Tensor top(rows, q.dtype()), inverse(rows, q.dtype());
  dispatch_floating("scaled_dot_product_attention", q.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::attention(describe<T>(q, k, v, o), writable<T>(y), head_strides(y),
                       kernels::SoftmaxRows<T>{writable<T>(top), writable<T>(inverse)});
  });
  const SavedAttention saved{save(q),        save(k),   save(v),       save(o.mask),
                             save_output(y), save(top), save(inverse), with_mask({}, o)};
  return record(kAttention, y, {q, k, v, o.mask}, [s = saved](Backward& b) {
    const Tensors in{b.saved(s.q), b.saved(s.k), b.saved(s.v), b.saved(s.mask)};
    if (b.first_order()) return fused_backward(s, b, in);
    auto composition = [&](const Tensors& x) {
      return compose(x[0], x[1], x[2], with_mask(x[3], s.options)).output;
    };
    return vjp(composition, in, {b.dy()});
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

}  // namespace
}  // namespace weft
