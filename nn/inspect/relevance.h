// Relevance by attention and its gradient (Chefer, Gur and Wolf 2021, arXiv:2103.15679): which
// positions a score came from, through every layer. Equations are numbered as there.
//
//   AttentionTrace trace;
//   Tensor y = model(src, tgt, {.trace = &trace});
//   const Tensor score = ...;  // one number a sentence, summed: of a logit, not of a loss
//   const Relevance r = relevance(trace, attention_gradients(score, trace));
//   r.cross;  // [B, Tt, Ts]
#pragma once

#include <weft/autograd/transforms/grad.h>
#include <weft/nn/transformer/transformer_options.h>

namespace weft {

/// dA = d score / d A for every tensor of the trace, in its place; zeros where the score does not
/// depend on it. The trace must be of the run that gave `score`, in grad mode. Gradient times
/// attention, A dA, is a product away. Of `options`, allow_unused is always on.
AttentionTrace attention_gradients(const Tensor& score, const AttentionTrace& trace,
                                   GradOptions options = {});

/// Mean over heads of (dA * A)+ (equation 5). Both [B, H, Tq, Tk] -> [B, Tq, Tk].
Tensor positive_relevance(const Tensor& weights, const Tensor& gradients);

/// (R - I) with each row divided by its sum, + I (equations 8 and 9). A row of R - I that is all
/// zeros stays so, where the published code has 0/0. R [..., T, T], R - I not negative.
Tensor normalized_relevance(const Tensor& r);

/// Relevance of the columns' positions for the rows'. Positions in the rows are those above the
/// last layer, in the columns those below the first.
struct Relevance {
  Tensor encoder;  ///< source for source, [B, Ts, Ts]
  Tensor decoder;  ///< target for target, [B, Tt, Tt]
  Tensor cross;    ///< source for target, [B, Tt, Ts]
};

/// R of an encoder, or of a decoder alone: from I, R += A R for each layer (equation 6), A being
/// positive_relevance(). Lists of [B, H, T, T], at least one -> [B, T, T].
Tensor relevance(const Tensors& weights, const Tensors& gradients);

/// R of an encoder-decoder. The encoder as above. Then in each decoder layer its self-attention A,
///   cross += A cross,  decoder += A decoder                               (equations 7, 6)
/// and its cross-attention C, with N = normalized_relevance(),
///   cross += N(decoder)^T C N(encoder)                                    (equation 10).
/// The transpose is as published; there is no equation 11, as the source never attends to the
/// target. Differentiable where the gradients were made with create_graph.
Relevance relevance(const AttentionTrace& weights, const AttentionTrace& gradients);

}  // namespace weft
