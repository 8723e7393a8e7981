#include <weft/autograd/ops.h>
#include <weft/nn/inspect/detail/per_head.h>
#include <weft/nn/inspect/links.h>

namespace weft {

Tensor mass_on_links(const Tensor& weights, const Tensor& links) {
  detail::check_per_head("mass_on_links", weights);
  check(links.defined() && links.dtype() == kBool, "mass_on_links: expected links of bool; got {}",
        links.defined() ? to_string(links.dtype()) : "an undefined tensor");
  const Shape &w = weights.shape(), one{w[2], w[3]}, each{w[0], w[2], w[3]};
  check(links.shape() == one || links.shape() == each,
        "mass_on_links: expected links {} or {} for weights {}; got {}", one, each, w,
        links.shape());
  const Tensor on = to(unsqueeze(links, -3), weights.dtype());  // [1, Tq, Tk] or [B, 1, Tq, Tk]
  const Tensor queries = sum(max(on, {-1}), {-1});              // that have a link, [1] or [B, 1]
  return sum(weights * on, {2, 3}) / queries;
}

Tensor diagonal_links(int64_t n, int64_t offset) {
  check(n >= 1, "diagonal_links: expected at least 1 position; got {}", n);
  const Tensor at = arange(n);
  return eq(unsqueeze(at, 1) + static_cast<double>(offset), at);
}

Tensor reverse_links(int64_t n) { return flip(diagonal_links(n), {1}); }

Tensor sorted_links(const Tensor& keys) {
  check(keys.defined() && (keys.dim() == 1 || keys.dim() == 2),
        "sorted_links: expected keys [n] or [B, n]; got {}",
        keys.defined() ? to_string(keys.shape()) : "an undefined tensor");
  check(sum(to(ne(keys, keys), kInt64)).item() == 0,
        "sorted_links: expected keys to sort; got NaN");
  const Tensor mine = unsqueeze(keys, -1), others = unsqueeze(keys, -2);
  const Tensor smaller = sum(to(lt(others, mine), kInt64), {-1}),  // than key j, [..., n]
      not_larger = sum(to(le(others, mine), kInt64), {-1});
  const Tensor rank = unsqueeze(arange(keys.size(-1)), 1);
  return logical_and(le(unsqueeze(smaller, -2), rank), gt(unsqueeze(not_larger, -2), rank));
}

}  // namespace weft
