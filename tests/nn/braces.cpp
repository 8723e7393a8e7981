// Options of a call given in braces, layer(x, {.mask = ...}), reach forward, hooks and all.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/attention/cross_attention.h>
#include <weft/nn/attention/score_attention.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/catch.h>

using namespace weft;

TEST_CASE("options of a call may come in braces") {
  Generator g(1);
  const Tensor x = randn({2, 3, 8}, g), memory = randn({2, 5, 8}, g);
  const auto per_head = AttentionWeights::per_head;
  MultiheadAttention attention({.embed_dim = 8, .num_heads = 2, .batch_first = true}, g);
  CHECK(attention(x, memory, memory, {.weights = per_head}).weights.shape() == Shape{2, 2, 3, 5});
  CHECK_FALSE(attention(x, memory, memory, {}).weights.defined());
  CrossAttention cross({.embed_dim = 8, .num_heads = 2, .batch_first = true}, g);
  CHECK(cross(x, memory, {.weights = per_head}).weights.shape() == Shape{2, 2, 3, 5});
  CHECK(cross(x, memory, memory, {.weights = per_head}).weights.shape() == Shape{2, 2, 3, 5});
  LuongAttention luong;
  CHECK(luong(x, memory, {.weights = per_head}).weights.shape() == Shape{2, 1, 3, 5});

  const TransformerLayerOptions options{
      .d_model = 8, .nhead = 2, .dim_feedforward = 8, .dropout = 0, .batch_first = true};
  TransformerEncoder encoder(options, 2, g);
  TransformerDecoder decoder(options, 2, g);
  AttentionTrace trace;
  int calls = 0;
  decoder.register_forward_hook([&](ModuleCall&) { ++calls; });
  const Tensor encoded = encoder(memory, {.src_mask = Mask::padding({5, 2}, 5), .trace = &trace});
  DecoderState state;
  const NoGrad no_grad;
  decoder(x, encoded, {.tgt_mask = Mask::causal(), .trace = &trace}, &state);
  CHECK(trace.encoder.size() == 2);
  CHECK(trace.cross.size() == 2);
  CHECK(trace.encoder[0].at({1, 0, 0, 2}) == 0);
  CHECK(state.layers.size() == 2);
  CHECK(calls == 1);
}
