#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops/detail/fused_attention.h>
#include <weft/core/kernels/attention.h>

#include <cmath>

namespace weft {
namespace detail {

double attention_scale(const AttentionOptions& o, const Tensor& q) {
  return o.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(3))));
}

Tensor with_dense_rows(const Tensor& x) {
  return x.size(3) == 1 || x.strides()[3] == 1 ? x : contiguous(x);
}

}  // namespace detail

namespace {

using detail::FusedAttention;

constexpr const char* kWho = "scaled_dot_product_attention";

// Whether y stands behind x in each row, as the parts of one packed projection do.
bool neighbours(const Tensor& x, const Tensor& y) {
  const auto row = static_cast<size_t>(x.size(1) * x.size(3)) * size_of(x.dtype());
  return x.same_storage(y) && x.shape() == y.shape() && x.strides() == y.strides() &&
         x.strides()[1] == x.size(3) && y.raw() == static_cast<const char*>(x.raw()) + row;
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
kernels::MaskStrides expanded_strides(const Tensor& mask, const kernels::Attention<T>& a) {
  const OpScope inside;
  const Shape at = expand(mask, {a.batch, a.heads, a.queries, a.keys}).strides();
  return {at[0], at[1], at[2], at[3]};
}

template <class T>
kernels::Attention<T> describe_operands(const FusedAttention& f) {
  const AttentionOptions& o = f.options;
  kernels::Attention<T> a;
  a.batch = f.q.size(0), a.heads = f.q.size(1), a.queries = f.q.size(2), a.keys = f.k.size(2);
  a.width = f.q.size(3), a.value_width = f.v.size(3);
  a.q = f.q.data<T>(), a.k = f.k.data<T>(), a.v = f.v.data<T>();
  a.q_at = head_strides(f.q), a.k_at = head_strides(f.k), a.v_at = head_strides(f.v);
  a.scale = detail::attention_scale(o, f.q);
  a.causal = o.causal;
  a.dropout = o.dropout;
  a.key = o.key;
  if (!o.mask.defined()) return a;
  if (o.mask.dtype() == kBool)
    a.allowed = o.mask.data<bool>(), a.allowed_at = expanded_strides(o.mask, a);
  else
    a.bias = o.mask.data<T>(), a.bias_at = expanded_strides(o.mask, a);
  return a;
}

// Where gradients of a call, or their derivatives, go: first dq, dk, dv and dmask as the kernels
// write it, [B, H, Tq, Tk] or undefined.
Tensors rooms_for(const FusedAttention& f, bool mask_too) {
  Tensors rooms = gradient_rooms(f.q, f.k, f.v);
  rooms.push_back(mask_too
                      ? Tensor({f.q.size(0), f.q.size(1), f.q.size(2), f.k.size(2)}, f.q.dtype())
                      : Tensor());
  return rooms;
}

// The mask's gradient in the mask's shape.
Tensors in_shape_of_mask(const FusedAttention& f, Tensors found) {
  const OpScope inside;
  if (!found[3].defined()) return found;
  const Shape& shape = f.options.mask.shape();
  const bool repeats = found[3].numel() != f.options.mask.numel();
  found[3] = repeats ? sum_to(found[3], shape) : reshape(found[3], shape);
  return found;
}

template <class T>
kernels::AttentionGrad<T> describe_gradients(const FusedAttention& f, const Tensor& dy,
                                             const Tensors& rooms) {
  kernels::AttentionGrad<T> g;
  g.y = f.y.data<T>(), g.dy = dy.data<T>();
  g.top = f.top.data<T>(), g.inverse = f.inverse.data<T>();
  g.y_at = head_strides(f.y), g.dy_at = head_strides(dy);
  if (!rooms[0].defined()) return g;
  g.dq = writable<T>(rooms[0]), g.dk = writable<T>(rooms[1]), g.dv = writable<T>(rooms[2]);
  g.dq_at = head_strides(rooms[0]), g.dk_at = head_strides(rooms[1]),
  g.dv_at = head_strides(rooms[2]);
  if (rooms[3].defined()) g.dbias = writable<T>(rooms[3]);
  return g;
}

Tensor dense(const Tensor& x) {
  const OpScope inside;
  return detail::with_dense_rows(x);
}

// A direction of an operand: zeros, which take no memory to speak of, if undefined.
Tensor direction(const Tensor& given, const Tensor& operand) {
  const OpScope inside;
  if (given.defined()) return detail::with_dense_rows(given);
  return expand(zeros({operand.size(3)}, operand.dtype()), operand.shape());
}

}  // namespace

void detail::run_attention(FusedAttention& f) {
  const Shape rows{f.q.size(0), f.q.size(1), f.q.size(2)};
  f.y = heads_like(f.q, f.v.size(3))[0];
  f.top = Tensor(rows, f.q.dtype());
  f.inverse = Tensor(rows, f.q.dtype());
  dispatch_floating(kWho, f.q.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::attention(describe_operands<T>(f), writable<T>(f.y), head_strides(f.y),
                       kernels::SoftmaxRows<T>{writable<T>(f.top), writable<T>(f.inverse)});
  });
}

Tensors detail::attention_gradients(const FusedAttention& f, const Tensor& dy, bool mask_too) {
  const Tensor rows = dense(dy);
  const Tensors rooms = rooms_for(f, mask_too);
  dispatch_floating(kWho, f.q.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    kernels::attention_grad(describe_operands<T>(f), describe_gradients<T>(f, rows, rooms));
  });
  return in_shape_of_mask(f, rooms);
}

Tensors detail::attention_tangents(const FusedAttention& f, const Tensor& dy,
                                   const Tensors& directions, bool gradients_too) {
  const bool mask_too = directions.size() > 3;
  const Tensor rows = dense(dy), q = direction(directions[0], f.q),
               k = direction(directions[1], f.k), v = direction(directions[2], f.v),
               y = heads_like(f.q, f.v.size(3))[0];
  const Tensors rooms = gradients_too ? rooms_for(f, mask_too) : Tensors(4);
  dispatch_floating(kWho, f.q.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const kernels::Attention<T> a = describe_operands<T>(f);
    const kernels::AttentionGrad<T> g = describe_gradients<T>(f, rows, rooms);
    kernels::AttentionTangent<T> t;
    t.q = q.data<T>(), t.k = k.data<T>(), t.v = v.data<T>(), t.y = writable<T>(y);
    t.q_at = head_strides(q), t.k_at = head_strides(k), t.v_at = head_strides(v),
    t.y_at = head_strides(y);
    if (mask_too && directions[3].defined())
      t.bias = directions[3].data<T>(), t.bias_at = expanded_strides(directions[3], a);
    kernels::attention_tangent(a, g, t);
  });
  Tensors found = in_shape_of_mask(f, rooms);
  found.push_back(y);
  return found;
}

}  // namespace weft
