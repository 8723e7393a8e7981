// What each position adds to the output of an attention block (attention, residual connection and
// LayerNorm), and which share of it that is: ALTI (Ferrando, Gallego and Costa-jussa 2022,
// arXiv:2203.04212), for an encoder-decoder ALTI+ (Ferrando et al. 2022, arXiv:2205.11631).
//
//   const auto run = [&](AttentionTrace* trace) { model(src, tgt, {.trace = trace}); };
//   const Tensor r = rollout(contribution_layers(model, run));  // ALTI+: [B, S + T, S + T]
//   source_share(r, S);                                         // [B, T]
#pragma once

#include <weft/nn/layer_norm.h>
#include <weft/nn/transformer/transformer_options.h>

#include <functional>

namespace weft {

/// The output of a block at query i is the sum over j of keys_ij, + residual_i + bias_i. (In the
/// papers, where key j is position j, T_i(x_j) = keys_ij, and keys_ii + residual_i for j = i.)
struct BlockParts {
  Tensor keys;            ///< [B, Tq, Tk, D]
  Tensor residual;        ///< [B, Tq, D]
  Tensor bias;            ///< [B, Tq, D]: what no position brings
  Tensor output() const;  ///< [B, Tq, D]
};

/// Parts of a post-norm block, LayerNorm(u) with u_i = sum_j sum_h A_hij f_h(x_j) + r_i + b_O,
/// where f_h is as in norm_weights(), the bias of the values part of it. At the deviation that u
/// has, LayerNorm is linear but for its own bias b:
///   L_i(v) = weight (v - mean(v)) / sqrt(var(u_i) + eps),   var over D, not D - 1,
///   keys_ij = L_i(sum_h A_hij f_h(x_j)),  residual_i = L_i(r_i),  bias_i = L_i(b_O) + b.
/// (The published code has D - 1, and eps in another place: its parts do not sum to the output.)
/// Without a norm L is the identity, which makes the parts of a pre-norm block: there r is what
/// goes into the norm, `value` what comes out of it, and nothing needs to be made linear.
///
/// `value` and `residual` are laid out as the attention's options say, weights [B, H, Tq, Tk] are
/// those of the call. Without dropout. Differentiable.
BlockParts block_parts(MultiheadAttention& attention, const Tensor& value, const Tensor& weights,
                       const Tensor& residual, const LayerNorm* norm = nullptr);

/// c_ij = max(0, |y_i| - |y_i - part_ij|) in l1 lengths, each row divided by its sum; one that is
/// all zeros stays so. Parts [B, Tq, N, D] and the output y [B, Tq, D] -> [B, Tq, N].
Tensor contributions(const Tensor& parts, const Tensor& output);

/// Those of self-attention, where the residual is position i's: [B, T, T].
Tensor self_contributions(const BlockParts& parts);

/// Those of attention to a memory: [B, Tq, Tk + 1]. The last column is the residual's.
Tensor cross_contributions(const BlockParts& parts);

/// Contributions of every attention block, post-norm or pre-norm, of every TransformerEncoderLayer
/// and TransformerDecoderLayer in `model`, in the order in which they run: for rollout(), which
/// makes ALTI or ALTI+ of them. (As there, feed-forward blocks are left out.) `run` calls the
/// model, once, and hands on the trace so that there are weights per head. `model` must be in
/// eval(). With attention to a memory each is of S + T positions, as in residual_layers(): [B, S +
/// T, S + T]. Without, [B, T, T]. Differentiable.
Tensors contribution_layers(Module& model, const std::function<void(AttentionTrace*)>& run);

/// Of what each target position stems from, the part that is source; the rest is the target's
/// prefix. From a rollout [B, S + T, S + T] whose rows sum to 1 -> [B, T].
Tensor source_share(const Tensor& rollout, int64_t source);

}  // namespace weft
