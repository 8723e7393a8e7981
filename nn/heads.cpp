#include <weft/autograd/intermediates.h>
#include <weft/core/check.h>
#include <weft/nn/heads.h>

namespace weft::detail {

void check_sequences(const char* who, const Tensor& query, const Tensor& key, const Tensor& value) {
  check(query.defined() && key.defined() && value.defined(), "{}: query, key or value is undefined",
        who);
  auto fits = [&](const Tensor& t) { return t.dim() == 3 && t.size(0) == query.size(0); };
  check(query.dim() == 3 && fits(key) && fits(value) && key.size(1) == value.size(1),
        "{}: expected query [B, Tq, width], key and value [B, Tk, width]; got {}, {} and {}", who,
        query.shape(), key.shape(), value.shape());
}

AttentionResult attend(const Tensor& q, const Tensor& k, const Tensor& v,
                       const AttentionOptions& options, AttentionWeights form) {
  const bool seen = is_wanted("weights") || is_wanted("scores");
  if (form == AttentionWeights::none && !seen)
    return {scaled_dot_product_attention(q, k, v, options), {}};
  const AttentionWithWeights found = attention_with_weights(q, k, v, options);
  if (form == AttentionWeights::none) return {found.output, {}};
  return {found.output,
          form == AttentionWeights::averaged ? mean(found.weights, {1}) : found.weights};
}

}  // namespace weft::detail
