#include <weft/core/check.h>
#include <weft/nn/heads.h>
#include <weft/nn/linear_attention.h>

namespace weft {
namespace {

// elu(x) + 1, which is positive, with the slope 1 at 0 from either side.
Tensor features(const Tensor& x) {
  const double lowest = -std::numeric_limits<double>::infinity();
  return where(gt(x, 0), x + 1, exp(clamp(x, lowest, 0)));
}

// q, k [B, H, T, D] are features and v [B, H, T, Dv]: S and z at once, z by a column of ones.
Tensor attend_linearly(const Tensor& q, const Tensor& k, const Tensor& v, bool causal) {
  const Tensor v1 = pad(v, -1, 0, 1, 1);  // [B, H, T, Dv + 1]
  Tensor y;
  if (causal)
    y = squeeze(matmul(unsqueeze(q, -2), cumsum(unsqueeze(k, -1) * unsqueeze(v1, -2), 2)), -2);
  else
    y = matmul(q, matmul(transpose(k, -2, -1), v1));
  const Tensor total = slice(y, -1, v.size(-1));
  return slice(y, -1, 0, v.size(-1)) / where(eq(total, 0), ones({}, y.dtype()), total);
}

}  // namespace

LinearAttention::LinearAttention(int64_t embed_dim, int64_t num_heads, Generator generator)
    : num_heads_(num_heads),
      q_proj_(child<Linear>("q_proj", embed_dim, embed_dim, generator)),
      k_proj_(child<Linear>("k_proj", embed_dim, embed_dim, generator)),
      v_proj_(child<Linear>("v_proj", embed_dim, embed_dim, generator)),
      out_proj_(child<Linear>("out_proj", embed_dim, embed_dim, generator)) {
  check(num_heads > 0 && embed_dim > 0 && embed_dim % num_heads == 0,
        "linear attention: embed_dim must be a positive multiple of num_heads; got {} and {}",
        embed_dim, num_heads);
}

Tensor LinearAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                const Mask& mask) {
  detail::check_sequences("linear attention", query, key, value);
  const int64_t queries = query.size(1), keys = key.size(1);
  const auto [allowed, causal] = mask.resolve(queries, keys);
  check(!causal || queries == keys,
        "linear attention: causal needs as many keys as queries; got {} and {}", keys, queries);
  const bool by_key = !allowed.defined() || (allowed.dtype() == kBool && allowed.size(-2) == 1 &&
                                             (allowed.dim() == 2 || allowed.size(1) == 1));
  check(by_key,
        "linear attention: the mask may be causal and forbid keys to all queries alike; "
        "scores do not exist here");
  check(!allowed.defined() ||
            ((allowed.size(-1) == keys || allowed.size(-1) == 1) &&
             (allowed.dim() == 2 || allowed.size(0) == query.size(0) || allowed.size(0) == 1)),
        "linear attention: the mask must broadcast to [B, 1, 1, Tk] = [{}, 1, 1, {}]; got {}",
        query.size(0), keys, allowed.defined() ? allowed.shape() : Shape());
  const Tensor q = features(detail::split_heads(q_proj_(query), num_heads_));
  Tensor k = features(detail::split_heads(k_proj_(key), num_heads_));  // [B, H, Tk, Dh]
  const Tensor v = detail::split_heads(v_proj_(value), num_heads_);
  if (allowed.defined()) k = where(transpose(allowed, -2, -1), k, zeros({}, k.dtype()));
  return out_proj_(detail::merge_heads(attend_linearly(q, k, v, causal)));
}

}  // namespace weft
