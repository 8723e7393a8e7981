// Value zeroing against layers composed by hand, whose weights of one key are set to 0.
#include <weft/autograd/autograd.h>
#include <weft/nn/attention/heads.h>
#include <weft/nn/init.h>
#include <weft/nn/inspect/value_zeroing.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/nn/numbers.h>

using namespace weft;

namespace {

constexpr int64_t kBatch = 2, kHeads = 2, kWidth = 6, kLength = 4;

TransformerLayerOptions options(bool norm_first, bool batch_first = true) {
  return {.d_model = kWidth,
          .nhead = kHeads,
          .dim_feedforward = 5,
          .batch_first = batch_first,
          .norm_first = norm_first};
}

template <class L>
void make_general(L& layer) {
  layer.to(kFloat64);
  uint64_t seed = 100;
  for (Tensor p : layer.parameters()) init::copy(p, p.detach() + normal(p.shape(), ++seed) * 0.3);
  layer.eval();
}

Tensor zeroing(TransformerEncoderLayer& layer, const Tensor& x, const Mask& mask = {}) {
  return value_zeroing(layer.find_module<MultiheadAttention>("self_attn"), [&] {
    AttentionTrace trace;
    return layer(x, {.src_mask = mask, .trace = &trace});
  });
}

Tensor norm(const Module& layer, const std::string& name, const Tensor& x) {
  return layer_norm(x, layer.find(name + ".weight"), layer.find(name + ".bias"));
}

// The layer with these weights in place of its own.
Tensor composed(const Module& layer, const Tensor& x, const Tensor& weights, bool norm_first) {
  const Tensor w = layer.find("self_attn.in_proj_weight"), b = layer.find("self_attn.in_proj_bias");
  const Tensor in = norm_first ? norm(layer, "norm1", x) : x;
  const Tensor values =
      split_heads(linear(in, slice(w, 0, 2 * kWidth), slice(b, 0, 2 * kWidth)), kHeads);
  const Tensor attended =
      linear(merge_heads(matmul(weights, values)), layer.find("self_attn.out_proj.weight"),
             layer.find("self_attn.out_proj.bias"));
  const Tensor y = norm_first ? x + attended : norm(layer, "norm1", x + attended);
  const Tensor hidden = relu(linear(norm_first ? norm(layer, "norm2", y) : y,
                                    layer.find("linear1.weight"), layer.find("linear1.bias")));
  const Tensor out = y + linear(hidden, layer.find("linear2.weight"), layer.find("linear2.bias"));
  return norm_first ? out : norm(layer, "norm2", out);
}

double cosine(const Tensor& x, const Tensor& y, int64_t b, int64_t i) {
  double xy = 0, xx = 0, yy = 0;
  for (int64_t d = 0; d < x.size(2); ++d) {
    xy += x.at({b, i, d}) * y.at({b, i, d});
    xx += x.at({b, i, d}) * x.at({b, i, d});
    yy += y.at({b, i, d}) * y.at({b, i, d});
  }
  return xy / std::sqrt(xx * yy);
}

}  // namespace

TEST_CASE("value zeroing is the cosine distance to a layer without one key's value") {
  for (const bool norm_first : {false, true}) {
    TransformerEncoderLayer layer(options(norm_first), Generator(1));
    make_general(layer);
    const Tensor x = normal({kBatch, kLength, kWidth}, 2), found = zeroing(layer, x);
    REQUIRE(found.shape() == Shape{kBatch, kLength, kLength});
    AttentionTrace trace;
    const Tensor y = layer(x, {.trace = &trace});
    CHECK(largest_difference(composed(layer, x, trace.encoder[0], norm_first), y) < 1e-12);
    for (int64_t j = 0; j < kLength; ++j) {
      const Tensor one = eq(arange(kLength, kFloat64), static_cast<double>(j));
      const Tensor without = composed(layer, x, masked_fill(trace.encoder[0], one, 0), norm_first);
      for (int64_t b = 0; b < kBatch; ++b)
        for (int64_t i = 0; i < kLength; ++i)
          CHECK(std::abs(found.at({b, i, j}) - (1 - cosine(y, without, b, i))) < kClose);
    }
    CHECK(max(found).item() > 0.01);
  }
}

TEST_CASE("what a mask hides has a value zeroing of exactly 0; layouts agree") {
  TransformerEncoderLayer first(options(false), Generator(1)),
      second(options(false, false), Generator(1));
  make_general(first);
  make_general(second);
  const Tensor x = normal({kBatch, kLength, kWidth}, 2);
  const Tensor a = zeroing(first, x, Mask::causal()),
               b = zeroing(second, transpose(x, 0, 1), Mask::causal());
  CHECK(max(abs(triu(a, 1))).item() == 0);
  CHECK(min(a + triu(ones(a.shape(), kFloat64), 1)).item() > 0);
  CHECK(largest_difference(a, b) < 1e-13);
}

TEST_CASE("value zeroing of attention to a memory, up to the end of a model") {
  Transformer model({.layer = options(false), .num_encoder_layers = 1, .num_decoder_layers = 2},
                    Generator(1));
  make_general(model);
  const Tensor source = normal({kBatch, kLength, kWidth}, 2),
               target = normal({kBatch, 3, kWidth}, 3);
  auto& attention = model.find_module<MultiheadAttention>("decoder.layers.1.multihead_attn");
  const auto run = [&] {
    AttentionTrace trace;
    return model(source, target, {.tgt_mask = Mask::causal(), .trace = &trace});
  };
  const Tensor found = value_zeroing(attention, run);
  REQUIRE(found.shape() == Shape{kBatch, 3, kLength});
  const Tensor y = run();
  // The same, had the memory's weights of key 2 been 0.
  HookHandle zero = attention.register_forward_hook([&](ModuleCall& call) {
    const Tensor rest = masked_fill(*call.outputs[1], tensor({false, false, true, false}), 0);
    const Tensor w = slice(attention.in_proj_weight, 0, 2 * kWidth),
                 b = slice(attention.in_proj_bias, 0, 2 * kWidth);
    const Tensor values = split_heads(linear(*call.inputs[2], w, b), kHeads);
    *call.outputs[0] = linear(merge_heads(matmul(rest, values)), attention.find("out_proj.weight"),
                              attention.find("out_proj.bias"));
  });
  const Tensor without = run();
  zero.remove();
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 0; i < 3; ++i)
      CHECK(std::abs(found.at({b, i, 2}) - (1 - cosine(y, without, b, i))) < kClose);
  CHECK(!attention.has_hooks());
  CHECK(largest_difference(run(), y) == 0);
}

TEST_CASE("value zeroing is differentiable") {
  TransformerEncoderLayer layer(options(true), Generator(1));
  make_general(layer);
  const auto f = [&](const Tensors& in) { return Tensors{zeroing(layer, in[0])}; };
  CHECK(gradcheck("value_zeroing", f, {normal({1, 3, kWidth}, 2)}).failure == "");
}

TEST_CASE("value zeroing says what it expects") {
  TransformerEncoderLayer layer(options(false), Generator(1));
  auto& attention = layer.find_module<MultiheadAttention>("self_attn");
  const Tensor x = ones({kBatch, kLength, kWidth});
  CHECK(message_of([&] { value_zeroing(attention, [&] { return x; }); }) ==
        "value_zeroing: run() did not call the attention");
  CHECK(message_of([&] {
          value_zeroing(attention, [&] { return layer(x); });
        }).find("value_zeroing: run() did not ask the attention for weights") != std::string::npos);
  CHECK(message_of([&] {
          value_zeroing(attention, [&] {
            AttentionTrace trace;
            return sum(layer(x, {.trace = &trace}));
          });
        }) ==
        "value_zeroing: expected run() to return 2 sentences of 4 queries, [B, Tq, D]; got []");
}
