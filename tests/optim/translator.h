// A small encoder-decoder over tokens, under the parameter names of scripts/fixtures/training.py.
#pragma once

#include <weft/autograd/ops.h>
#include <weft/nn/embedding.h>
#include <weft/nn/linear.h>
#include <weft/nn/transformer/transformer.h>

#include <cmath>
#include <utility>

constexpr int64_t kPad = 0;

class Translator : public weft::Layer<Translator> {
 public:
  /// `positions` [longest, d_model] is added to the scaled embeddings.
  Translator(const weft::TransformerOptions& options, int64_t src_vocab, int64_t tgt_vocab,
             weft::Tensor positions, const weft::Generator& gen)
      : output(child<weft::Linear>("output", options.layer.d_model, tgt_vocab, gen)),
        positions_(std::move(positions)),
        src_embedding_(
            child<weft::Embedding>("src_embedding", src_vocab, options.layer.d_model, gen, kPad)),
        tgt_embedding_(
            child<weft::Embedding>("tgt_embedding", tgt_vocab, options.layer.d_model, gen, kPad)),
        transformer_(child<weft::Transformer>("transformer", options, gen)) {}

  /// src [B, Tk], tgt [B, Tq] -> hidden states [B, Tq, D], to which `output` applies.
  weft::Tensor forward(const weft::Tensor& src, const weft::Tensor& tgt) {
    const weft::Mask padding = weft::Mask::padding(src, kPad);
    return transformer_(
        embed(src_embedding_, src), embed(tgt_embedding_, tgt),
        weft::TransformerCall{
            .src_mask = padding, .tgt_mask = weft::Mask::causal(), .memory_mask = padding});
  }

  weft::Linear& output;

 private:
  weft::Tensor embed(weft::Embedding& table, const weft::Tensor& tokens) {
    const double scale = std::sqrt(static_cast<double>(positions_.size(1)));
    const weft::Tensor vectors = table(tokens) * scale;
    return vectors + weft::to(weft::slice(positions_, 0, 0, tokens.size(1)), vectors.dtype());
  }

  weft::Tensor positions_;
  weft::Embedding &src_embedding_, &tgt_embedding_;
  weft::Transformer& transformer_;
};
