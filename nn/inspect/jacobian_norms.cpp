#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/inspect/detail/length.h>
#include <weft/nn/inspect/jacobian_norms.h>

namespace weft {
namespace {

int64_t product(const Shape& shape, int begin, int end) {
  int64_t n = 1;
  for (int d = begin; d < end; ++d) n *= shape[d];
  return n;
}

}  // namespace

Tensor jacobian_norms(const TensorFunction& f, const Tensor& x) {
  check(x.defined() && x.dim() >= 2 && is_floating(x.dtype()),
        "jacobian_norms: expected floating x [B, Tk, ...]; got {}",
        x.defined() ? fmt::format("{} {}", to_string(x.dtype()), x.shape()) : "an undefined one");
  const Tensor j = jacobian(f, x, {.batched = true});  // [B, Tq, ..., Tk, ...]
  const int of_y = j.dim() - x.dim() + 1;
  check(of_y >= 2, "jacobian_norms: expected f(x) to be [B, Tq, ...]; got only one dim");
  const Shape& s = j.shape();
  const int64_t inner = product(s, of_y + 1, s.rank());
  const Tensor blocks = reshape(j, {s[0], s[1], product(s, 2, of_y), s[of_y], inner});
  const Tensor pairs = permute(blocks, {0, 1, 3, 2, 4});  // [B, Tq, Tk, ., .]
  return detail::length_of(reshape(pairs, {s[0], s[1], s[of_y], product(s, 2, of_y) * inner}));
}

}  // namespace weft
