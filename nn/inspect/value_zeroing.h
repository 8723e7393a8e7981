// How much a layer's output rests on each key's value: value zeroing (Mohebbi et al. 2023,
// arXiv:2301.12971). Unlike attention weights it sees all that the layer does with them.
//
//   value_zeroing(layer.find_module<MultiheadAttention>("self_attn"), [&] {
//     AttentionTrace trace;  // so that the layer asks for weights per head
//     return layer(x, {.trace = &trace});
//   });
#pragma once

#include <weft/nn/attention/multihead_attention.h>

#include <functional>

namespace weft {

/// 1 - cos(y_i, y_i'), where y is what run() returns and y' the same with the value of key j set to
/// 0 in every head and all else of the call, weights too, as it was -> [B, Tq, Tk]. (The paper
/// further divides rows by their sum.) Exactly 0 where query i may not
/// attend to key j, if run() is one layer. For vectors of zeros: 0 against itself, 1/2 against
/// others.
///
/// `run` is whatever holds `attention`: it calls it once, with weights per head, and gives the same
/// each time (in eval() if it has dropout). It returns [B, Tq, D], or [Tq, B, D] as the attention's
/// options say: the layer's output, say. It is called Tk + 1 times. Differentiable.
Tensor value_zeroing(MultiheadAttention& attention, const std::function<Tensor()>& run);

}  // namespace weft
