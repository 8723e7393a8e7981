#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/mask.h>

#include <algorithm>

namespace weft {
namespace {

void check_shape(const char* who, const Tensor& t) {
  check(t.defined(), "{}: the tensor is undefined", who);
  check(t.dim() == 2 || t.dim() == 4,
        "{}: expected [Tq, Tk] or [B, H, Tq, Tk], where B, H, Tq, Tk may be 1; got {}{}", who,
        t.shape(),
        t.dim() == 3
            ? "; unsqueeze(mask, 1) makes a mask per batch, from_torch_mha(mask, num_heads) "
              "one per head"
            : "");
}

void check_bool(const char* who, const Tensor& t) {
  check(t.defined() && t.dtype() == kBool, "{}: expected a bool tensor; got {}", who,
        t.defined() ? to_string(t.dtype()) : "an undefined one");
}

Tensor both(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() ? a : b;
  return logical_and(a, b);
}

// [Tq, Tk]: query i sees keys 0 .. i + shift.
Tensor band(int64_t queries, int64_t keys, int64_t shift) {
  NoGrad no_grad;
  return ge(unsqueeze(arange(queries), 1) + static_cast<double>(shift), unsqueeze(arange(keys), 0));
}

// `extra` keys of `value` after the others.
Tensor append_keys(const Tensor& mask, int64_t keys, int64_t extra, double value) {
  if (!mask.defined() || extra == 0) return mask;
  Shape shape = mask.shape();
  shape[mask.dim() - 1] = keys;
  return pad(expand(mask, shape), -1, 0, extra, value);
}

}  // namespace

Mask Mask::may_attend(const Tensor& yes) {
  check_bool("Mask::may_attend", yes);
  check_shape("Mask::may_attend", yes);
  Mask m;
  m.allowed_ = yes;
  return m;
}

Mask Mask::must_ignore(const Tensor& no) {
  check_bool("Mask::must_ignore", no);
  check_shape("Mask::must_ignore", no);
  Mask m;
  m.allowed_ = logical_not(no);
  return m;
}

Mask Mask::additive(const Tensor& scores) {
  check_shape("Mask::additive", scores);
  check(is_floating(scores.dtype()), "Mask::additive: expected a floating tensor; got {}",
        to_string(scores.dtype()));
  Mask m;
  m.added_ = scores;
  return m;
}

Mask Mask::causal(Alignment alignment) {
  Mask m;
  (alignment == Alignment::top_left ? m.top_left_ : m.bottom_right_) = true;
  return m;
}

Mask Mask::window(int64_t before, int64_t after) {
  check(before >= 0 && after >= 0,
        "Mask::window: before and after must not be negative; got {} and {}", before, after);
  Mask m;
  m.before_ = before;
  m.after_ = after;
  return m;
}

Mask Mask::padding(const std::vector<int64_t>& lengths, int64_t longest) {
  for (int64_t n : lengths)
    check(n >= 0 && n <= longest, "Mask::padding: lengths must be in [0, {}]; got {}", longest, n);
  const int64_t batch = static_cast<int64_t>(lengths.size());
  return may_attend(
      lt(reshape(arange(longest), {1, 1, 1, longest}), from_vector(lengths, {batch, 1, 1, 1})));
}

Mask Mask::padding(const Tensor& ids, int64_t padding_id) {
  check(ids.defined() && ids.dim() == 2 && ids.dtype() == kInt64,
        "Mask::padding: expected int64 token ids [B, Tk]; got {}",
        ids.defined() ? ids.shape() : Shape());
  return may_attend(reshape(ne(ids, static_cast<double>(padding_id)), {ids.size(0), 1, 1, -1}));
}

Mask Mask::from_torch_mha(const Tensor& attn_mask, int64_t num_heads) {
  Tensor t = attn_mask;
  if (t.defined() && t.dim() == 3) {
    check(num_heads > 0 && t.size(0) % num_heads == 0,
          "Mask::from_torch_mha: expected [B * num_heads, Tq, Tk] with num_heads = {}; got {}",
          num_heads, t.shape());
    t = reshape(t, {t.size(0) / num_heads, num_heads, t.size(1), t.size(2)});
  }
  return t.defined() && is_floating(t.dtype()) ? additive(t) : must_ignore(t);
}

Mask Mask::from_torch_key_padding(const Tensor& key_padding_mask) {
  const Tensor& t = key_padding_mask;
  check(t.defined() && t.dim() == 2, "Mask::from_torch_key_padding: expected [B, Tk]; got {}",
        t.defined() ? t.shape() : Shape());
  const Tensor keys = reshape(t, {t.size(0), 1, 1, t.size(1)});
  return is_floating(t.dtype()) ? additive(keys) : must_ignore(keys);
}

Mask Mask::from_torch_sdpa(const Tensor& attn_mask) {
  return attn_mask.defined() && is_floating(attn_mask.dtype()) ? additive(attn_mask)
                                                               : may_attend(attn_mask);
}

Mask operator&(const Mask& a, const Mask& b) {
  Mask m;
  m.allowed_ = both(a.allowed_, b.allowed_);
  if (a.added_.defined() && b.added_.defined())
    m.added_ = a.added_ + b.added_;
  else
    m.added_ = a.added_.defined() ? a.added_ : b.added_;
  m.top_left_ = a.top_left_ || b.top_left_;
  m.bottom_right_ = a.bottom_right_ || b.bottom_right_;
  m.before_ = std::min(a.before_, b.before_);
  m.after_ = std::min(a.after_, b.after_);
  return m;
}

Mask::Resolved Mask::resolve(int64_t queries, int64_t keys, int64_t extra, int64_t first) const {
  Resolved r;
  Tensor allowed = allowed_;
  auto see_up_to = [&](int64_t shift) {  // query i sees keys 0 .. i + shift
    if (shift == 0 && extra == 0)
      r.causal = true;
    else if (shift + 1 < keys)  // else even the first query sees all keys
      allowed = both(allowed, band(queries, keys, shift));
  };
  if (top_left_) see_up_to(first);
  if (bottom_right_) see_up_to(keys - queries);
  if (before_ < queries + first - 1)  // else even the last query sees the first key
    allowed = both(allowed, logical_not(band(queries, keys, first - before_ - 1)));
  if (after_ < keys - first - 1)  // else even the first query sees the last key
    allowed = both(allowed, band(queries, keys, first + after_));
  r.mask = append_keys(allowed, keys, extra, 1);
  if (!added_.defined()) return r;
  const Tensor added = append_keys(added_, keys, extra, 0);
  const Tensor never = scalar(-std::numeric_limits<double>::infinity(), added.dtype());
  r.mask = r.mask.defined() ? where(r.mask, added, never) : added;
  return r;
}

}  // namespace weft
