// MultiheadAttention as PyTorch's, its options covered pairwise.
#include <weft/nn/attention/multihead_attention.h>
#include <weft/tests/nn/torch_case.h>

using namespace weft;

namespace {

MultiheadAttentionOptions options_of(const TorchCase& c) {
  MultiheadAttentionOptions o{.embed_dim = c.get<int64_t>("embed_dim", 0),
                              .num_heads = c.get<int64_t>("num_heads", 0),
                              .bias = c.get("bias", true),
                              .add_bias_kv = c.get("add_bias_kv", false),
                              .add_zero_attn = c.get("add_zero_attn", false),
                              .batch_first = c.get("batch_first", false)};
  if (const int64_t width = c.get<int64_t>("kdim", 0)) o.kdim = width;
  if (const int64_t width = c.get<int64_t>("vdim", 0)) o.vdim = width;
  return o;
}

AttentionWeights weights_of(const TorchCase& c) {
  const std::string form = c.get<std::string>("need_weights", "none");
  return form == "none"       ? AttentionWeights::none
         : form == "averaged" ? AttentionWeights::averaged
                              : AttentionWeights::per_head;
}

TensorsByName attend(MultiheadAttention& attention, const TorchCase& c, const TensorsByName& in) {
  const Tensor query = in.at("query");
  const Tensor key = in.count("key") ? in.at("key") : query;
  const Tensor value = in.count("value") ? in.at("value") : key;
  AttentionCall call{.weights = weights_of(c)};
  if (c.get<std::string>("attn_mask", "") == "causal")
    call.mask = Mask::causal();
  else if (in.count("attn_mask"))
    call.mask = Mask::from_torch_mha(in.at("attn_mask"), attention.options().num_heads);
  if (in.count("key_padding_mask"))
    call.mask = call.mask & Mask::from_torch_key_padding(in.at("key_padding_mask"));
  const AttentionResult result = attention(query, key, value, call);
  TensorsByName found{{"output", result.output}};
  if (result.weights.defined()) found["weights"] = result.weights;
  return found;
}

}  // namespace

TorchLayers torch_attention_layers() {
  return {{"MultiheadAttention", [] {
             TorchTally all;
             for (const TorchCase& c : torch_cases("attention")) {
               MultiheadAttention attention(options_of(c), Generator(1));
               all += c.check(attention,
                              [&](const TensorsByName& in) { return attend(attention, c, in); });
             }
             return all;
           }}};
}
