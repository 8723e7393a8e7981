// The Transformer: an encoder, and a decoder that attends to what the encoder makes (Vaswani et al.
// 2017).
#pragma once

#include <weft/nn/module_list.h>
#include <weft/nn/transformer/decoder_layer.h>
#include <weft/nn/transformer/encoder_layer.h>

#include <algorithm>

namespace weft {

/// torch.nn.TransformerEncoder: a stack of layers "layers.0", ..., and a norm if `final_norm`. With
/// `share_layers` there is one, "layers.0", which runs `num_layers` times (Universal Transformer,
/// Dehghani et al. 2019, arXiv:1807.03819, without its embedding of steps and its halting).
class TransformerEncoder : public Layer<TransformerEncoder> {
 public:
  using Call = EncoderCall;
  TransformerEncoder(const TransformerLayerOptions& options, int num_layers, Generator generator,
                     bool final_norm = false, bool share_layers = false);

  /// src [B, T, D] (or [T, B, D]) -> the same shape.
  Tensor forward(const Tensor& src, const EncoderCall& call = {});

  /// How often each layer runs in a call: once, but with `share_layers` as often as there are
  /// layers.
  size_t runs_per_layer() const { return depth_ / std::max<size_t>(1, layers_.size()); }

 private:
  ModuleList<TransformerEncoderLayer>& layers_;
  size_t depth_;
  LayerNorm* norm_;
};

/// What a decoder keeps while it writes a sequence step by step.
struct DecoderState {
  std::vector<DecoderLayerCache> layers;  ///< empty before the first step
  /// Row i goes on where row index[i] (int64) was: for beam search. With `same_memory` the memory
  /// of row i is that of row index[i], which saves moving it.
  void reorder(const Tensor& index, bool same_memory = false);
};

/// torch.nn.TransformerDecoder; `share_layers` as above.
class TransformerDecoder : public Layer<TransformerDecoder> {
 public:
  using Call = DecoderCall;
  TransformerDecoder(const TransformerLayerOptions& options, int num_layers, Generator generator,
                     bool final_norm = false, bool share_layers = false);

  /// tgt [B, Tq, D], memory [B, Tk, memory_dim] (or [T, B, D]) -> the shape of tgt. With a state,
  /// tgt holds the tokens that are new since the last call with it; the results are those of the
  /// whole sequence at these positions. The memory must stay the same and nothing may record.
  Tensor forward(const Tensor& tgt, const Tensor& memory, const DecoderCall& call = {},
                 DecoderState* state = nullptr);

  /// How often each layer runs in a call: once, but with `share_layers` as often as there are
  /// layers.
  size_t runs_per_layer() const { return depth_ / std::max<size_t>(1, layers_.size()); }

 private:
  ModuleList<TransformerDecoderLayer>& layers_;
  size_t depth_;
  LayerNorm* norm_;
};

struct TransformerOptions {
  TransformerLayerOptions layer;
  int num_encoder_layers = 6;
  int num_decoder_layers = 6;
  bool final_norm = true;     ///< behind each stack
  bool share_layers = false;  ///< one layer's weights for all layers of a stack
};

struct TransformerCall {
  Mask src_mask = {}, tgt_mask = {}, memory_mask = {};
  AttentionTrace* trace = nullptr;
};

/// torch.nn.Transformer: both stacks; every matrix starts Xavier-uniform.
class Transformer : public Layer<Transformer> {
 public:
  using Call = TransformerCall;
  Transformer(const TransformerOptions& options, Generator generator);

  /// src [B, Tk, D], tgt [B, Tq, D] (or [T, B, D]) -> the shape of tgt.
  Tensor forward(const Tensor& src, const Tensor& tgt, const TransformerCall& call = {});

  TransformerEncoder& encoder;
  TransformerDecoder& decoder;
};

}  // namespace weft
