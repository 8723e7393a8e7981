// Decoding step by step with kept keys and values equals the forward of the whole; positions.
#include <weft/autograd/graph/grad_mode.h>
#include <weft/autograd/ops.h>
#include <weft/nn/positional.h>
#include <weft/nn/transformer/transformer.h>
#include <weft/tests/catch.h>
#include <weft/tests/nn/numbers.h>

#include <cmath>

using namespace weft;

namespace {

constexpr int64_t kBatch = 3, kSource = 5, kTarget = 40, kWidth = 8;

TransformerLayerOptions options(bool batch_first) {
  return {.d_model = kWidth, .nhead = 2, .dim_feedforward = 16, .batch_first = batch_first};
}

std::unique_ptr<TransformerDecoder> decoder(bool batch_first) {
  auto made = std::make_unique<TransformerDecoder>(options(batch_first), 2, Generator(1), true);
  made->to(kFloat64);
  made->eval();
  return made;
}

}  // namespace

TEST_CASE("steps equal the whole") {
  NoGrad no_grad;
  for (const bool batch_first : {true, false}) {
    const auto model = decoder(batch_first);
    const int time = batch_first ? 1 : 0;
    auto layout = [&](const Tensor& t) { return batch_first ? t : contiguous(transpose(t, 0, 1)); };
    const Tensor tgt = layout(normal({kBatch, kTarget, kWidth}, 2));
    const Tensor memory = layout(normal({kBatch, kSource, kWidth}, 3));
    const DecoderCall call{.tgt_mask = Mask::causal(),
                           .memory_mask = Mask::padding({5, 2, 4}, kSource)};
    const Tensor whole = (*model)(tgt, memory, call);

    DecoderState state;
    Tensors parts;
    for (const auto& range : {std::pair{0, 3}, {3, 4}, {4, 5}, {5, 9}, {9, 39}, {39, 40}}) {
      const Tensor fresh = slice(tgt, time, range.first, range.second);
      parts.push_back((*model)(fresh, memory, call, &state));
    }
    CHECK(largest_difference(cat(parts, time), whole) < 1e-13);
  }
}

TEST_CASE("beams go on where others were") {
  NoGrad no_grad;
  const auto model = decoder(true);
  const Tensor tgt = normal({kBatch, 4, kWidth}, 2), memory = normal({kBatch, kSource, kWidth}, 3);
  const DecoderCall call{.tgt_mask = Mask::causal()};
  DecoderState state;
  (*model)(slice(tgt, 1, 0, 3), memory, call, &state);
  const Tensor index = tensor({2, 0, 0, 1});
  state.reorder(index);
  auto take = [&](const Tensor& t) { return index_select(t, 0, index); };
  const Tensor step = (*model)(take(slice(tgt, 1, 3)), take(memory), call, &state);
  CHECK(largest_difference(step, take(slice((*model)(tgt, memory, call), 1, 3))) < 1e-13);
}

TEST_CASE("beams of one memory go on without its being moved") {
  NoGrad no_grad;
  const auto model = decoder(true);
  const Tensor one = normal({1, kSource, kWidth}, 3), memory = cat({one, one, one}, 0);
  const Tensor tgt = normal({3, 2, kWidth}, 2), index = tensor({2, 0, 0});
  DecoderState moved, kept;
  for (DecoderState* state : {&moved, &kept}) (*model)(slice(tgt, 1, 0, 1), memory, {}, state);
  moved.reorder(index);
  kept.reorder(index, /*same_memory=*/true);
  const Tensor next = slice(tgt, 1, 1);
  CHECK(largest_difference((*model)(next, memory, {}, &moved), (*model)(next, memory, {}, &kept)) ==
        0);
  CHECK(message_of([&] {
          kept.reorder(tensor({0, 3, 1}));
        }) == "attention cache: rows must be in [0, 3); got 3");
  CHECK(message_of([&] {
          kept.reorder(tensor({{0, 1, 1}}));
        }) == "attention cache: rows are given as int64 [B]; got int64 [1, 3]");
}

TEST_CASE("a memory is projected once") {
  NoGrad no_grad;
  const auto model = decoder(true);
  const Tensor tgt = normal({kBatch, 2, kWidth}, 2), memory = normal({kBatch, kSource, kWidth}, 3);
  DecoderState state;
  const Tensor first = (*model)(slice(tgt, 1, 0, 1), memory, DecoderCall{}, &state);
  const Tensor other = (*model)(slice(tgt, 1, 1), memory * 100.0, DecoderCall{}, &state);
  CHECK(largest_difference(
            other, slice((*model)(tgt, memory, DecoderCall{Mask::causal(), {}}), 1, 1)) < 1e-13);
}

TEST_CASE("decoding with a cache does not record") {
  const auto model = decoder(true);
  DecoderState state;
  const Tensor tgt = normal({kBatch, 1, kWidth}, 2), memory = normal({kBatch, kSource, kWidth}, 3);
  CHECK(message_of([&] { (*model)(tgt, memory, DecoderCall{}, &state); }) ==
        "attention cache: kept keys and values have no gradient; decode under NoGrad");
  NoGrad no_grad;
  state = {};
  (*model)(tgt, memory, DecoderCall{}, &state);
  CHECK(message_of([&] {
          (*model)(normal({2, 1, kWidth}, 2), memory, DecoderCall{}, &state);
        }) ==
        "attention cache: keys of shape [2, 2, 1, 4] do not continue those of shape [3, 2, 16, 4]");
  TransformerDecoder smaller(options(true), 1, Generator(1));
  CHECK(message_of([&] { smaller(tgt, memory, DecoderCall{}, &state); }) ==
        "transformer decoder: the state is of a decoder with 2 layers; this one has 1");
}

TEST_CASE("a trace collects the weights of every layer") {
  Transformer model({.layer = options(true), .num_encoder_layers = 1, .num_decoder_layers = 2},
                    Generator(1));
  model.to(kFloat64);
  model.eval();
  const Tensor src = normal({kBatch, kSource, kWidth}, 2), tgt = normal({kBatch, 4, kWidth}, 3);
  AttentionTrace trace;
  const Tensor traced =
      model(src, tgt, TransformerCall{.tgt_mask = Mask::causal(), .trace = &trace});
  CHECK(largest_difference(traced, model(src, tgt, TransformerCall{.tgt_mask = Mask::causal()})) <
        1e-13);
  REQUIRE(trace.encoder.size() == 1);
  REQUIRE(trace.decoder.size() == 2);
  REQUIRE(trace.cross.size() == 2);
  CHECK(trace.encoder[0].shape() == Shape{kBatch, 2, kSource, kSource});
  CHECK(trace.decoder[1].shape() == Shape{kBatch, 2, 4, 4});
  CHECK(trace.cross[1].shape() == Shape{kBatch, 2, 4, kSource});
  trace.cross[0].retain_grad();
  sum(traced * normal(traced.shape(), 4)).backward();
  CHECK(max(abs(trace.cross[0].grad())).item() > 0);
}

TEST_CASE("positions are those of the paper, and go on in steps") {
  const Tensor table = sinusoidal_positions(20, 6, kFloat64);
  for (int64_t t = 0; t < 20; ++t)
    for (int64_t i = 0; i < 3; ++i) {
      const double angle =
          static_cast<double>(t) / std::pow(10000.0, static_cast<double>(2 * i) / 6);
      CHECK(std::abs(table.at({t, 2 * i}) - std::sin(angle)) < 1e-14);
      CHECK(std::abs(table.at({t, 2 * i + 1}) - std::cos(angle)) < 1e-14);
    }
  const Tensor x = normal({2, 20, 6}, 2);
  SinusoidalPositions fixed(true);
  LearnedPositions learned(20, 6, Generator(1), true);
  learned.to(kFloat64);
  CHECK(largest_difference(fixed(x), x + table) == 0);
  for (const int64_t at : {0, 7, 19}) {
    const Tensor step = slice(x, 1, at, at + 1);
    CHECK(largest_difference(fixed(step, at), slice(fixed(x), 1, at, at + 1)) == 0);
    CHECK(largest_difference(learned(step, at), slice(learned(x), 1, at, at + 1)) == 0);
  }
  // Far out, where a table from 0 on would fill the memory.
  const int64_t far = int64_t{1} << 52;
  const Tensor there = slice(x, 1, 0, 2);
  CHECK(std::abs((fixed(there, far) - there).at({0, 1, 0}) -
                 std::sin(static_cast<double>(far + 1))) < 1e-14);
  CHECK(message_of([&] { fixed(x, std::numeric_limits<int64_t>::max()); }) ==
        "positions: 9223372036854775807 + 20 is no size");
  CHECK(message_of([&] { learned(x, 1); }) ==
        "positions: the table has 20 rows; a sequence needs 21");
}
