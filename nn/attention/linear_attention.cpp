#include <weft/autograd/graph/grad_mode.h>
#include <weft/core/detail/check.h>
#include <weft/nn/attention/heads.h>
#include <weft/nn/attention/linear_attention.h>

namespace weft {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kFar = 1e30;  // no feature's log is below -kFar: sums of two are finite

// log(elu(x) + 1), with the slope 1 at 0 from either side.
Tensor log_features(const Tensor& x) {
  return where(gt(x, 0), log(clamp(x, 0) + 1), clamp(x, -kFar, 0));
}

// y is a quotient of sums over keys and features. It stays the same when all keys have e^shift
// divided out of a feature and the queries multiplied in, and when a query's features are all
// divided by one number. A shift near the largest of the keys and the query's largest feature then
// keep the sums away from 0. Both are constants to the gradient.
Tensor relative_queries(const Tensor& log_q, const Tensor& shift) {
  const Tensor logs = log_q + shift;
  return exp(logs - max(logs.detach(), {-1}, true));
}

// y [..., Dv + 1] -> its first Dv columns over the last; zeros where that is 0.
Tensor quotient(const Tensor& y) {
  const Tensor total = slice(y, -1, y.size(-1) - 1);
  return slice(y, -1, 0, y.size(-1) - 1) / where(eq(total, 0), ones({}, y.dtype()), total);
}

// log_q [B, H, Tq, D]; log_k [B, H, Tk, D], -infinity where forbidden; v1 [B, H, Tk, Dv + 1].
Tensor attend_to_all(const Tensor& log_q, const Tensor& log_k, const Tensor& v1) {
  const Tensor shift = clamp(max(log_k.detach(), {2}, true), -kFar);  // [B, H, 1, D]
  const Tensor k = exp(log_k - shift);
  return matmul(relative_queries(log_q, shift), matmul(transpose(k, -2, -1), v1));
}

// The same for keys up to each query, where what the keys before it have changes little enough for
// one shift: that of the first key, so that no query depends on what comes later.
Tensor attend_to_past(const Tensor& log_q, const Tensor& log_k, const Tensor& v1,
                      const Tensor& shift) {
  const Tensor k = exp(log_k - shift);
  const Tensor sums = cumsum(unsqueeze(k, -1) * unsqueeze(v1, -2), 2);  // [B, H, T, D, Dv + 1]
  return squeeze(matmul(unsqueeze(relative_queries(log_q, shift), -2), sums), -2);
}

// And where it changes much: key by key, with the largest so far as the shift.
Tensor attend_step_by_step(const Tensor& log_q, const Tensor& log_k, const Tensor& v1) {
  const int64_t batch = v1.size(0), heads = v1.size(1), length = v1.size(2), width = log_k.size(3);
  Tensor shift = full({batch, heads, 1, width}, -kFar, v1.dtype());
  Tensor sums = zeros({batch, heads, width, v1.size(3)}, v1.dtype());
  Tensors rows;
  for (int64_t t = 0; t < length; ++t) {
    const Tensor log_key = slice(log_k, 2, t, t + 1), last = shift;
    shift = maximum(last, log_key.detach());
    sums = transpose(exp(last - shift), -2, -1) * sums +
           matmul(transpose(exp(log_key - shift), -2, -1), slice(v1, 2, t, t + 1));
    rows.push_back(matmul(relative_queries(slice(log_q, 2, t, t + 1), shift), sums));
  }
  return cat(rows, 2);
}

// The log of the first key's features that is allowed, [B, H, 1, D]; -kFar where none is.
Tensor first_allowed(const Tensor& log_k) {
  const NoGrad no_grad;
  const Tensor first = slice(log_k, 2, 0, 1);
  if (min(first).item() > -kInf) return first;
  const Tensor allowed = gt(log_k, -kInf);  // the same for all features
  const Tensor index = argmax(to(allowed, kInt64), 2, true);
  return clamp(gather(log_k, 2, index), -kFar);
}

Tensor attend_linearly(const Tensor& log_q, const Tensor& log_k, const Tensor& v, bool causal) {
  const Tensor v1 = pad(v, -1, 0, 1, 1);  // the sum of the weights is that of a column of ones
  if (log_k.numel() == 0) return zeros({v.size(0), v.size(1), log_q.size(2), v.size(3)}, v.dtype());
  if (!causal) return quotient(attend_to_all(log_q, log_k, v1));
  constexpr double kRange = 60;  // e^60 is far from both ends of float32
  const Tensor shift = first_allowed(log_k);
  const bool even = max(log_k.detach() - shift).item() < kRange;
  return quotient(even ? attend_to_past(log_q, log_k, v1, shift)
                       : attend_step_by_step(log_q, log_k, v1));
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
  const Tensor q = log_features(split_heads(q_proj_(query), num_heads_));
  Tensor k = log_features(split_heads(k_proj_(key), num_heads_));  // [B, H, Tk, Dh]
  const Tensor v = split_heads(v_proj_(value), num_heads_);
  if (allowed.defined()) k = where(transpose(allowed, -2, -1), k, full({}, -kInf, k.dtype()));
  return out_proj_(merge_heads(attend_linearly(q, k, v, causal)));
}

}  // namespace weft
