#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>
#include <weft/nn/attention/heads.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/nn/init.h>

namespace weft {
namespace {

constexpr const char* kWho = "multihead attention";

MultiheadAttention::Options checked(const MultiheadAttention::Options& o) {
  check(o.num_heads > 0 && o.embed_dim > 0 && o.embed_dim % o.num_heads == 0,
        "multihead attention: embed_dim must be a positive multiple of num_heads; got {} and {}",
        o.embed_dim, o.num_heads);
  check(
      !o.rotary || o.embed_dim / o.num_heads % 2 == 0,
      "multihead attention: rotary positions need heads of an even width; got {} for embed_dim {} "
      "and {} heads",
      o.embed_dim / o.num_heads, o.embed_dim, o.num_heads);
  check(o.dropout >= 0 && o.dropout < 1, "multihead attention: dropout must be in [0, 1); got {}",
        o.dropout);
  return o;
}

bool one_width(const MultiheadAttention::Options& o) {
  return o.kdim.value_or(o.embed_dim) == o.embed_dim && o.vdim.value_or(o.embed_dim) == o.embed_dim;
}

// The hint of shape errors where the other layout would fit.
const char* other_layout(const MultiheadAttention::Options& o) {
  return o.batch_first ? "; sequences come first with batch_first = false"
                       : "; batches come first with batch_first = true";
}

Tensor empty_if(bool wanted, const Shape& shape) { return wanted ? Tensor(shape) : Tensor(); }

}  // namespace

MultiheadAttention::MultiheadAttention(const Options& options, Generator generator)
    : options_(checked(options)),
      generator_(generator),
      out_proj_(child<Linear>("out_proj", options.embed_dim, options.embed_dim, generator,
                              options.bias)) {
  const int64_t d = options.embed_dim;
  const bool packed = one_width(options);
  in_proj_weight = parameter("in_proj_weight", empty_if(packed, {3 * d, d}));
  q_proj_weight = parameter("q_proj_weight", empty_if(!packed, {d, d}));
  k_proj_weight = parameter("k_proj_weight", empty_if(!packed, {d, options.kdim.value_or(d)}));
  v_proj_weight = parameter("v_proj_weight", empty_if(!packed, {d, options.vdim.value_or(d)}));
  in_proj_bias = parameter("in_proj_bias", empty_if(options.bias, {3 * d}));
  bias_k = parameter("bias_k", empty_if(options.add_bias_kv, {1, 1, d}));
  bias_v = parameter("bias_v", empty_if(options.add_bias_kv, {1, 1, d}));
  for (const Tensor& w : {in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight})
    if (w.defined()) init::xavier_uniform(w, generator);
  for (const Tensor& b : {bias_k, bias_v})
    if (b.defined()) init::xavier_normal(b, generator);
  for (const Tensor& b : {in_proj_bias, out_proj_.bias})
    if (b.defined()) init::zeros(b);
  if (options.qk_norm) {
    q_norm_ = &child<RMSNorm>("q_norm", d / options.num_heads);
    k_norm_ = &child<RMSNorm>("k_norm", d / options.num_heads);
  }
  if (options.rotary) rotary_ = &child<RotaryPositions>("rotary");
  if (options.relative)
    relative_ = &child<RelativeScores>("relative", d, options.num_heads, generator);
}

std::vector<HeadRows> MultiheadAttention::head_rows() const {
  const int64_t h = options_.num_heads;
  if (in_proj_weight.defined()) return {{"in_proj_weight", 3 * h}};
  return {{"q_proj_weight", h}, {"k_proj_weight", h}, {"v_proj_weight", h}};
}

AttentionResult MultiheadAttention::forward(const Tensor& query, const Tensor& key,
                                            const Tensor& value, const AttentionCall& call) {
  check_inputs(query, key, value);
  if (query.dim() == 2) return forward_unbatched(query, key, value, call);
  AttentionCache* cache = call.cache;
  const int64_t first = cache ? cache->next_query() : 0;
  Heads heads = project(query, key, value, cache && cache->is_complete());
  norm_and_turn(heads, first);
  if (cache) heads.memory = cache->is_complete() ? cache->contents() : cache->append(heads.memory);

  const int64_t queries = heads.queries.size(2), keys = heads.memory.keys.size(2);
  const KeysValues memory = with_extra_keys(heads.memory);
  Mask all = call.mask;
  if (relative_) {
    const RelativeScores::Result found = (*relative_)(heads.queries, keys, first);
    heads.queries = found.queries;
    all = all & Mask::additive(found.scores);
  }
  const Mask::Resolved mask = all.resolve(queries, keys, memory.keys.size(2) - keys, first);
  detail::check_mask(kWho, mask.mask,
                     {heads.queries.size(0), options_.num_heads, queries, memory.keys.size(2)},
                     other_layout(options_));
  AttentionOptions how{.mask = mask.mask, .causal = mask.causal};
  if (training() && options_.dropout > 0) {
    how.dropout = options_.dropout;
    how.key = generator_.next_key();
  }
  const AttentionResult found = attend(
      {query.same_handle(key), heads.queries, memory.keys, memory.values, how}, call.weights);
  return {out_proj_(merge_heads(found.output)), found.weights};
}

// What the options ask for between projections and scores, of keys that are new.
void MultiheadAttention::norm_and_turn(Heads& heads, int64_t first) {
  Tensor &q = heads.queries, &k = heads.memory.keys;
  if (q_norm_) q = (*q_norm_)(q);
  if (k_norm_ && k.defined()) k = (*k_norm_)(k);
  if (rotary_) q = (*rotary_)(q, first);
  if (rotary_ && k.defined()) k = (*rotary_)(k, first);
}

// [T, D]: a batch of one.
AttentionResult MultiheadAttention::forward_unbatched(const Tensor& query, const Tensor& key,
                                                      const Tensor& value,
                                                      const AttentionCall& call) {
  const int dim = options_.batch_first ? 0 : 1;
  const Tensor q = unsqueeze(query, dim), k = key.same_handle(query) ? q : unsqueeze(key, dim),
               v = value.same_handle(key) ? k : unsqueeze(value, dim);
  const AttentionResult one = forward(q, k, v, call);
  return {squeeze(one.output, dim), one.weights.defined() ? squeeze(one.weights, 0) : one.weights};
}

void MultiheadAttention::check_inputs(const Tensor& query, const Tensor& key,
                                      const Tensor& value) const {
  check(query.defined() && key.defined() && value.defined(),
        "multihead attention: query, key or value is undefined");
  const Options& o = options_;
  const int64_t k_width = o.kdim.value_or(o.embed_dim), v_width = o.vdim.value_or(o.embed_dim);
  const int rank = query.dim();
  auto fit = [&](bool batch_first) {
    const int batch = batch_first ? 0 : 1, length = rank == 2 ? 0 : 1 - batch;
    auto fits = [&](const Tensor& t, int64_t width) {
      return t.dim() == rank && t.size(-1) == width &&
             (rank == 2 || t.size(batch) == query.size(batch));
    };
    return (rank == 2 || rank == 3) && fits(query, o.embed_dim) && fits(key, k_width) &&
           fits(value, v_width) && key.size(length) == value.size(length);
  };
  check(fit(o.batch_first),
        "multihead attention: expected query [{0}, {1}], key [{0}, {2}], value [{0}, {3}]; got "
        "{4}, {5}, {6}{7}",
        o.batch_first ? "B, T" : "T, B", o.embed_dim, k_width, v_width, query.shape(), key.shape(),
        value.shape(), fit(!o.batch_first) ? other_layout(o) : "");
}

// A packed weight or bias, cut into that of queries and that of keys and values together.
Tensors MultiheadAttention::query_and_memory_parts(const Tensor& packed) const {
  const int64_t d = options_.embed_dim;
  return packed.defined() ? split(packed, std::vector<int64_t>{d, 2 * d}, 0) : Tensors(2);
}

MultiheadAttention::Heads MultiheadAttention::project(const Tensor& query, const Tensor& key,
                                                      const Tensor& value, bool query_only) {
  const bool packed = in_proj_weight.defined();
  if (packed && !query_only && query.same_handle(key) && key.same_handle(value)) {
    const Tensors t = to_heads(query, in_proj_weight, in_proj_bias, 3);
    return {t[0], {t[1], t[2]}};
  }
  const Tensors w = query_and_memory_parts(in_proj_weight),
                b = query_and_memory_parts(in_proj_bias);
  Heads heads{to_heads(query, packed ? w[0] : q_proj_weight, b[0], 1)[0], {}};
  if (!query_only) heads.memory = project_memory(key, value, w[1], b[1]);
  return heads;
}

KeysValues MultiheadAttention::project_memory(const Tensor& key, const Tensor& value,
                                              const Tensor& weight, const Tensor& bias) {
  if (weight.defined() && key.same_handle(value)) {
    const Tensors t = to_heads(key, weight, bias, 2);
    return {t[0], t[1]};
  }
  const int64_t d = options_.embed_dim;
  const Tensors w = weight.defined() ? split(weight, d, 0) : Tensors{k_proj_weight, v_proj_weight};
  const Tensors b = bias.defined() ? split(bias, d, 0) : Tensors(2);
  return {to_heads(key, w[0], b[0], 1)[0], to_heads(value, w[1], b[1], 1)[0]};
}

// Projects x and hands out `parts` views of the result, each [B, H, T, Dh].
Tensors MultiheadAttention::to_heads(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                     int64_t parts) const {
  const int64_t h = options_.num_heads, width = options_.embed_dim / h;
  const Tensor y = reshape(linear(x, weight, bias), {x.size(0), x.size(1), parts * h, width});
  Tensors found = parts == 1 ? Tensors{y} : split(y, h, 2);
  for (Tensor& t : found)
    t = permute(t, options_.batch_first ? Shape{0, 2, 1, 3} : Shape{1, 2, 0, 3});
  return found;
}

// bias_k, bias_v and zeros behind the others.
KeysValues MultiheadAttention::with_extra_keys(const KeysValues& memory) const {
  KeysValues all = memory;
  const int64_t b = memory.keys.size(0), h = options_.num_heads, width = options_.embed_dim / h;
  auto rows = [&](const Tensor& bias) {
    return expand(reshape(bias, {1, h, 1, width}), {b, h, 1, width});
  };
  if (options_.add_bias_kv)
    all = {cat({all.keys, rows(bias_k)}, 2), cat({all.values, rows(bias_v)}, 2)};
  if (options_.add_zero_attn) all = {pad(all.keys, 2, 0, 1), pad(all.values, 2, 0, 1)};
  return all;
}

// [B, H, T, Dh] -> [B, T, D] or [T, B, D]
Tensor MultiheadAttention::merge_heads(const Tensor& y) const {
  const Tensor t = permute(y, options_.batch_first ? Shape{0, 2, 1, 3} : Shape{2, 0, 1, 3});
  return reshape(t, {t.size(0), t.size(1), options_.embed_dim});
}

}  // namespace weft
