// MultiheadAttention equals PyTorch's, its options covered pairwise.
#include <weft/autograd/autograd.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention.h>
#include <weft/tests/catch.h>
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

TEST_CASE("multi-head attention equals PyTorch's") {
  const auto cases = torch_cases("attention");
  CHECK(cases.size() >= 20);
  for (const TorchCase& c : cases) {
    MultiheadAttention attention(options_of(c), Generator(1));
    c.check(attention, [&](const TensorsByName& in) { return attend(attention, c, in); });
  }
}

TEST_CASE("the Hessian of a cross-attention loss equals PyTorch's") {
  const SafetensorsFile file = load_safetensors(WEFT_TEST_DATA "/attention_hessian.safetensors");
  MultiheadAttention attention({.embed_dim = 4, .num_heads = 2, .batch_first = true}, Generator(1));
  attention.to(kFloat64);
  NamedTensors state;
  for (const NamedTensor& t : file.tensors)
    if (t.name.rfind("param.", 0) == 0) state.push_back({t.name.substr(6), t.tensor});
  attention.load_state_dict(state);

  const Tensor memory = file.at("input.memory");
  const Tensor query = file.at("input.query").detach().set_requires_grad();
  const Tensor error = attention(query, memory, memory).output - file.at("input.target");
  const Tensor loss = sum(error * error) * 0.5;
  CHECK(loss.item() == Approx(file.at("output.loss").item()).epsilon(1e-13));
  const Tensor gradient = reshape(grad(loss, query, {.create_graph = true}), {-1});
  const Tensor expected = reshape(file.at("output.hessian"), {query.numel(), query.numel()});
  for (int64_t i = 0; i < query.numel(); ++i) {
    const Tensor row = grad(select(gradient, 0, i), query, {.retain_graph = true});
    CHECK(max(abs(reshape(row, {-1}) - select(expected, 0, i))).item() < 1e-10);
  }
}
