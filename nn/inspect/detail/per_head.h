// Checks of attention weights that measures take per head.
#pragma once

#include <weft/core/detail/check.h>
#include <weft/nn/transformer/transformer_options.h>

namespace weft::detail {

/// An Error unless these are weights [B, H, Tq, Tk]. Those averaged over heads lack a dim: the
/// batch must not be taken for heads.
inline void check_per_head(const char* who, const Tensor& weights) {
  check(weights.defined(), "{}: attention weights are undefined", who);
  check(weights.dim() == 4 && is_floating(weights.dtype()),
        "{}: expected attention weights per head, floating [B, H, Tq, Tk]; got {} {}", who,
        to_string(weights.dtype()), weights.shape());
}

/// The same for self-attention, [B, H, T, T].
inline void check_square(const char* who, const Tensor& weights) {
  check_per_head(who, weights);
  check(weights.size(2) == weights.size(3),
        "{}: expected weights of self-attention, [B, H, T, T]; got {}", who, weights.shape());
}

/// An Error unless the trace is of an encoder-decoder, its layers of one batch and of lengths that
/// fit.
inline void check_encoder_decoder(const char* who, const AttentionTrace& trace) {
  check(!trace.cross.empty() && trace.cross.size() == trace.decoder.size(),
        "{}: expected as many layers of decoder as of cross-attention, at least 1; got {} and {}",
        who, trace.decoder.size(), trace.cross.size());
  check_per_head(who, trace.cross[0]);
  const int64_t batch = trace.cross[0].size(0), target = trace.cross[0].size(2),
                source = trace.cross[0].size(3);
  const auto check_all = [&](const Tensors& list, const char* name, int64_t queries, int64_t keys) {
    for (const Tensor& w : list) {
      check_per_head(who, w);
      check(w.size(0) == batch && w.size(2) == queries && w.size(3) == keys,
            "{}: expected {} weights [{}, H, {}, {}], as the cross-attention {} has it; got {}",
            who, name, batch, queries, keys, trace.cross[0].shape(), w.shape());
    }
  };
  check_all(trace.encoder, "encoder", source, source);
  check_all(trace.decoder, "decoder", target, target);
  check_all(trace.cross, "cross-attention", target, source);
}

}  // namespace weft::detail
