#include <weft/nn/attention/grouped_attention.h>
#include <weft/nn/attention/linear_attention.h>
#include <weft/nn/attention/relative_scores.h>
#include <weft/nn/attention/score_attention.h>
#include <weft/nn/gated.h>
#include <weft/nn/position_bias.h>
#include <weft/nn/recurrent/recurrent.h>
#include <weft/nn/rms_norm.h>
#include <weft/tests/nn/layer_checks.h>

using namespace weft;

namespace {

const Mask kPadding = Mask::padding({3, 2}, 3);
constexpr auto kPerHead = AttentionWeights::per_head;

LayerReports grouped_query_attention() {
  auto module = [](GroupedQueryAttentionOptions o) {
    return [o] { return GroupedQueryAttention(o, Generator(1)); };
  };
  auto call = [](auto& m, const Tensors& in) {
    return m(in[0], in[1], in.back(), AttentionCall{.mask = kPadding, .weights = kPerHead});
  };
  return {check_module(module({.embed_dim = 4, .num_heads = 2, .num_kv_heads = 1}),
                       {normal({2, 2, 4}), normal({2, 3, 4}, 6)}, call),
          check_module(module({.embed_dim = 8,
                               .num_heads = 4,
                               .num_kv_heads = 2,
                               .kdim = 3,
                               .vdim = 2,
                               .dropout = 0.3,
                               .bias = false,
                               .rotary = true}),
                       {normal({2, 2, 8}), normal({2, 3, 3}), normal({2, 3, 2})}, call,
                       {.directions = 3})};
}

LayerReports linear_attention() {
  auto module = [] { return LinearAttention(4, 2, Generator(1)); };
  auto with = [](const Mask& mask) {
    return [mask](LinearAttention& m, const Tensors& in) {
      return m(in[0], in.back(), in.back(), mask);
    };
  };
  return {check_module(module, {normal({2, 2, 4}), normal({2, 3, 4}, 6)}, with(kPadding)),
          check_module(module, {normal({2, 3, 4})}, with(Mask::causal()))};
}

LayerReports bahdanau_attention() {
  return {check_module([] { return BahdanauAttention(4, 3, 2, Generator(1)); },
                       {normal({2, 2, 4}), normal({2, 3, 3})},
                       [](auto& m, const Tensors& in) {
                         return m(in[0], in[1],
                                  AttentionCall{.mask = kPadding, .weights = kPerHead});
                       })};
}

LayerReports luong_attention() {
  return {check_module([] { return LuongAttention(); }, {normal({2, 2, 3}), normal({2, 3, 3}, 6)}),
          check_module([] { return LuongAttention(4, 3, Generator(1)); },
                       {normal({2, 2, 4}), normal({2, 3, 3})},
                       [](auto& m, const Tensors& in) {
                         return m(in[0], in[1], AttentionCall{.mask = kPadding});
                       })};
}

LayerReports relative_scores() {
  return {
      check_module([] { return RelativeScores(4, 2, Generator(1)); }, {normal({1, 2, 3, 2})},
                   [](auto& m, const Tensors& in) { return m(in[0], int64_t{5}, int64_t{2}); })};
}

LayerReports relative_position_bias() {
  auto module = [](bool both) {
    return [both] {
      return RelativePositionBias(
          {.num_heads = 2, .num_buckets = 4, .max_distance = 5, .bidirectional = both},
          Generator(1));
    };
  };
  auto bias = [](auto& m, const Tensors&) { return m(int64_t{3}, int64_t{4}); };
  auto attend = [](auto& m, const Tensors& in) {
    return scaled_dot_product_attention(in[0], in[0], in[0], {.mask = m(int64_t{4}, int64_t{4})});
  };
  return {check_module(module(true), {}, bias),
          check_module(module(false), {normal({1, 2, 4, 2})}, attend)};
}

template <class L>
LayerReports recurrent() {
  auto module = [](RecurrentOptions o) { return [o] { return L(o, Generator(1)); }; };
  RecurrentOptions stacked{.input_size = 3,
                           .hidden_size = 2,
                           .num_layers = 2,
                           .batch_first = true,
                           .dropout = 0.3,
                           .bidirectional = true};
  constexpr bool kCell = std::is_same_v<L, LSTM>;
  Tensors inputs{normal({2, 3, 3}), normal({4, 2, 2}, 6)};
  if (kCell) inputs.push_back(normal({4, 2, 2}, 7));
  return {
      check_module(module({.input_size = 3, .hidden_size = 2, .bias = false}), {normal({3, 2, 3})}),
      check_module(module(stacked), inputs,
                   [](auto& m, const Tensors& in) {
                     const RecurrentState state{in[1], kCell ? in[2] : Tensor()};
                     return m(in[0], state, std::vector<int64_t>{3, 1});
                   },
                   {.directions = 3})};
}

LayerReports gru_cell() {
  return {
      check_module([] { return GRUCell(3, 2, Generator(1)); }, {normal({2, 3}), normal({2, 2})}),
      check_module([] { return GRUCell(3, 2, Generator(1), false); }, {normal({2, 3})})};
}

LayerReports lstm_cell() {
  return {check_module([] { return LSTMCell(3, 2, Generator(1)); },
                       {normal({2, 3}), normal({2, 2}), normal({2, 2}, 6)},
                       [](auto& m, const Tensors& in) {
                         return m(in[0], RecurrentState{in[1], in[2]});
                       }),
          check_module([] { return LSTMCell(3, 2, Generator(1), false); }, {normal({2, 3})})};
}

}  // namespace

LayerChecks other_layers() {
  return {
      {"BahdanauAttention", bahdanau_attention},
      {"GLU",
       [] {
         return LayerReports{check_module([] { return GLU(); }, {normal({2, 4})})};
       }},
      {"GRU", recurrent<GRU>},
      {"GRUCell", gru_cell},
      {"GroupedQueryAttention", grouped_query_attention},
      {"LSTM", recurrent<LSTM>},
      {"LSTMCell", lstm_cell},
      {"LinearAttention", linear_attention},
      {"LuongAttention", luong_attention},
      {"RMSNorm",
       [] {
         return LayerReports{check_module([] { return RMSNorm(4); }, {normal({2, 4})}),
                             check_module([] { return RMSNorm(4, 1e-3); }, {normal({2, 4})})};
       }},
      {"RelativePositionBias", relative_position_bias},
      {"RelativeScores", relative_scores},
      {"RotaryPositions",
       [] {
         return LayerReports{check_module([] { return RotaryPositions(); }, {normal({2, 3, 4})})};
       }},
      {"SwiGLU",
       [] {
         return LayerReports{
             check_module([] { return SwiGLU(3, 4, Generator(1)); }, {normal({2, 3})})};
       }},
  };
}
