#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/attention/relative_scores.h>
#include <weft/nn/init.h>

#include <cmath>

namespace weft {
namespace {

// s [B, H, Tq, P] with P >= Tq + keys, whose last dim is a distance from the farthest that the last
// query sees -> [B, H, Tq, keys]: row i from column Tq - 1 - i on. Read without its first Tq - 1
// elements, in rows one shorter, a matrix has its rows so shifted.
Tensor shifted(const Tensor& s, int64_t keys) {
  const int64_t b = s.size(0), h = s.size(1), q = s.size(2), row = s.size(3) - 1;
  const Tensor flat = slice(reshape(s, {b, h, q * (row + 1)}), 2, q - 1, q - 1 + q * row);
  return slice(reshape(flat, {b, h, q, row}), 3, 0, keys);
}

}  // namespace

RelativeScores::RelativeScores(int64_t embed_dim, int64_t num_heads, Generator generator)
    : weight(parameter("weight", Tensor({embed_dim, embed_dim}))),
      content_bias(parameter("content_bias", zeros({embed_dim}))),
      position_bias(parameter("position_bias", zeros({embed_dim}))),
      embed_dim_(embed_dim),
      num_heads_(num_heads) {
  check(num_heads > 0 && embed_dim > 0 && embed_dim % num_heads == 0 && embed_dim % 2 == 0,
        "relative scores: embed_dim must be even and a multiple of num_heads; got {} and {}",
        embed_dim, num_heads);
  init::xavier_uniform(weight, generator);
}

RelativeScores::Result RelativeScores::forward(const Tensor& q, int64_t keys, int64_t first) {
  check(q.defined() && q.dim() == 4 && q.size(1) == num_heads_ &&
            q.size(3) == embed_dim_ / num_heads_,
        "relative scores: expected queries [B, {}, Tq, {}]; got {}", num_heads_,
        embed_dim_ / num_heads_, q.defined() ? q.shape() : Shape());
  check(keys >= 0 && first >= 0,
        "relative scores: keys and first must not be negative; got {} and {}", keys, first);
  const int64_t width = q.size(3), queries = q.size(2);
  if (queries == 0) return {q, zeros({q.size(0), num_heads_, 0, keys}, q.dtype())};
  auto of_heads = [&](const Tensor& bias) { return reshape(bias, {num_heads_, 1, width}); };
  const int64_t distances = add_sizes("relative scores", queries, keys);
  const int64_t lowest = 1 - add_sizes("relative scores", first, queries);
  const Tensor r = linear(table_.rows(lowest, distances, weight), weight);  // [distances, D]
  const Tensor by_head = permute(reshape(r, {distances, num_heads_, width}), {1, 2, 0});
  const Tensor asked = (q + of_heads(position_bias)) * (1 / std::sqrt(static_cast<double>(width)));
  return {q + of_heads(content_bias), shifted(matmul(asked, by_head), keys)};
}

}  // namespace weft
