#include <weft/core/detail/check.h>
#include <weft/nn/attention/heads.h>

namespace weft {

Tensor split_heads(const Tensor& x, int64_t num_heads) {
  check(x.defined() && x.dim() == 3 && num_heads > 0 && x.size(2) % num_heads == 0,
        "split_heads: expected [B, T, D] with D a multiple of num_heads = {}; got {}", num_heads,
        x.defined() ? to_string(x.shape()) : "undefined");
  return permute(reshape(x, {x.size(0), x.size(1), num_heads, x.size(2) / num_heads}),
                 {0, 2, 1, 3});
}

Tensor merge_heads(const Tensor& y) {
  check(y.defined() && y.dim() == 4, "merge_heads: expected [B, H, T, Dh]; got {}",
        y.defined() ? to_string(y.shape()) : "undefined");
  const Tensor t = permute(y, {0, 2, 1, 3});
  return reshape(t, {t.size(0), t.size(1), t.size(2) * t.size(3)});
}

namespace detail {
namespace {

bool broadcasts(const Tensor& mask, const Shape& scores) {
  if (mask.dim() > scores.rank()) return false;
  for (int d = 1; d <= mask.dim(); ++d)
    if (mask.size(-d) != 1 && mask.size(-d) != scores[scores.rank() - d]) return false;
  return true;
}

}  // namespace

void check_mask(const char* who, const Tensor& mask, const Shape& scores, const char* layout) {
  if (!mask.defined() || broadcasts(mask, scores)) return;
  const int64_t b = scores[0], h = scores[1];
  std::string hint;
  if (mask.dim() == 4 && mask.size(0) == b * h && mask.size(1) == 1)
    hint = fmt::format("; Mask::from_torch_mha takes num_heads = {} for a mask per head", h);
  else if (mask.dim() == 4 && broadcasts(select(mask, 1, 0), {b, scores[2], scores[3]}))
    hint = fmt::format("; a mask per head needs num_heads = {} of them", h);
  else if (scores[2] == scores[3] && broadcasts(mask, {scores[2], h, b, b}))
    hint = layout;
  fail("{}: the mask must broadcast to [B, num_heads, Tq, Tk] = {}; got {}{}", who, scores,
       mask.shape(), hint);
}

void check_sequences(const char* who, const Tensor& query, const Tensor& key, const Tensor& value) {
  check(query.defined() && key.defined() && value.defined(), "{}: query, key or value is undefined",
        who);
  auto fits = [&](const Tensor& t) { return t.dim() == 3 && t.size(0) == query.size(0); };
  check(query.dim() == 3 && fits(key) && fits(value) && key.size(1) == value.size(1),
        "{}: expected query [B, Tq, width], key and value [B, Tk, width]; got {}, {} and {}", who,
        query.shape(), key.shape(), value.shape());
}

}  // namespace detail
}  // namespace weft
