// MultiheadAttention as PyTorch's, its options covered pairwise; and a Hessian through it.
#include <weft/autograd/ops.h>
#include <weft/autograd/transforms/functional.h>
#include <weft/nn/attention/multihead_attention.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/torch_case.h>
#include <weft/tests/places.h>

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

TEST_CASE("the Hessian of a cross-attention loss equals PyTorch's, and finite differences") {
  const SafetensorsFile file = load_safetensors(test_data("attention_hessian.safetensors"));
  MultiheadAttention attention({.embed_dim = 4, .num_heads = 2, .batch_first = true}, Generator(1));
  attention.to(kFloat64);
  attention.load_state_dict(
      load_safetensors(test_data("attention_hessian.safetensors"), "param.").tensors);

  const Tensor query = file.at("input.query"), memory = file.at("input.memory"),
               target = file.at("input.target"), expected = file.at("output.hessian");
  auto losses = [&](const Tensor& q) {  // [B, 8, 4] -> [B]
    const Tensor keys = expand(memory, {q.size(0), -1, -1});
    return sum(pow(attention(q, keys, keys).output - target, 2), {1, 2}) * 0.5;
  };
  auto loss = [&](const Tensor& q) { return sum(losses(q)); };
  CHECK(loss(query).item() == Approx(file.at("output.loss").item()).epsilon(1e-13));

  const Tensor h = hessian(loss, query);  // [1, 8, 4, 1, 8, 4]
  REQUIRE(h.shape() == expected.shape());
  CHECK(max(abs(h - expected)).item() < 1e-10);
  NoGrad no_grad;
  const Tensor at_once = hessian(losses, query, {.batched = true, .chunk_size = 32});
  CHECK(max(abs(reshape(at_once, expected.shape()) - expected)).item() < 1e-10);

  constexpr double kStep = 1e-5;
  for (int64_t i = 0; i < query.numel(); ++i) {
    auto slope = [&](double step) {
      Tensor moved = clone(query);
      moved.mutable_data<double>()[i] += step;
      return value_and_grad(loss, {moved}).gradients[0];
    };
    const Tensor row = reshape((slope(kStep) - slope(-kStep)) / (2 * kStep), {-1});
    CHECK(max(abs(row - reshape(select(reshape(h, {32, 32}), 0, i), {-1}))).item() < 1e-6);
  }
}
