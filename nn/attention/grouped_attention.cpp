#include <weft/core/detail/check.h>
#include <weft/nn/attention/grouped_attention.h>
#include <weft/nn/attention/heads.h>

namespace weft {
namespace {

GroupedQueryAttentionOptions checked(const GroupedQueryAttentionOptions& o) {
  check(o.num_heads > 0 && o.embed_dim > 0 && o.embed_dim % o.num_heads == 0,
        "grouped-query attention: embed_dim must be a positive multiple of num_heads; got {} and "
        "{}",
        o.embed_dim, o.num_heads);
  check(o.num_kv_heads > 0 && o.num_heads % o.num_kv_heads == 0,
        "grouped-query attention: num_heads must be a multiple of num_kv_heads; got {} and {}",
        o.num_heads, o.num_kv_heads);
  check(o.dropout >= 0 && o.dropout < 1,
        "grouped-query attention: dropout must be in [0, 1); got {}", o.dropout);
  return o;
}

int64_t memory_width(const GroupedQueryAttentionOptions& o) {
  return o.embed_dim / o.num_heads * o.num_kv_heads;
}

}  // namespace

GroupedQueryAttention::GroupedQueryAttention(const Options& o, Generator generator)
    : options_(checked(o)),
      generator_(generator),
      q_proj_(child<Linear>("q_proj", o.embed_dim, o.embed_dim, generator, o.bias)),
      k_proj_(child<Linear>("k_proj", o.kdim.value_or(o.embed_dim), memory_width(o), generator,
                            o.bias)),
      v_proj_(child<Linear>("v_proj", o.vdim.value_or(o.embed_dim), memory_width(o), generator,
                            o.bias)),
      out_proj_(child<Linear>("out_proj", o.embed_dim, o.embed_dim, generator, o.bias)),
      rotary_(child<RotaryPositions>("rotary")) {}

std::vector<HeadRows> GroupedQueryAttention::head_rows() const {
  const int64_t memory = options_.num_kv_heads;
  return {
      {"q_proj.weight", options_.num_heads}, {"k_proj.weight", memory}, {"v_proj.weight", memory}};
}

KeysValues GroupedQueryAttention::project_memory(const Tensor& key, const Tensor& value,
                                                 int64_t first) {
  const Tensor k = split_heads(k_proj_(key), options_.num_kv_heads);
  return {options_.rotary ? rotary_(k, first) : k,
          split_heads(v_proj_(value), options_.num_kv_heads)};
}

AttentionResult GroupedQueryAttention::forward(const Tensor& query, const Tensor& key,
                                               const Tensor& value, const AttentionCall& call) {
  detail::check_sequences("grouped-query attention", query, key, value);
  AttentionCache* cache = call.cache;
  const int64_t first = cache ? cache->next_query() : 0;
  Tensor q = split_heads(q_proj_(query), options_.num_heads);  // [B, H, Tq, Dh]
  if (options_.rotary) q = rotary_(q, first);
  KeysValues memory;  // [B, num_kv_heads, Tk, Dh]
  if (cache && cache->is_complete())
    memory = cache->contents();
  else
    memory = project_memory(key, value, first);
  if (cache && !cache->is_complete()) memory = cache->append(memory);

  const auto mask = call.mask.resolve(q.size(2), memory.keys.size(2), 0, first);
  detail::check_mask("grouped-query attention", mask.mask,
                     {q.size(0), q.size(1), q.size(2), memory.keys.size(2)});
  AttentionOptions how{.mask = mask.mask, .causal = mask.causal, .enable_gqa = true};
  if (training() && options_.dropout > 0) {
    how.dropout = options_.dropout;
    how.key = generator_.next_key();
  }
  const AttentionResult found =
      attend({query.same_handle(key), q, memory.keys, memory.values, how}, call.weights);
  return {out_proj_(merge_heads(found.output)), found.weights};
}

}  // namespace weft
