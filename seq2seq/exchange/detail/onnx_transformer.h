// A TransformerSeq2Seq as ONNX graphs.
#pragma once

#include <weft/seq2seq/exchange/detail/onnx_graph.h>
#include <weft/seq2seq/models/transformer_seq2seq.h>

namespace weft {

/// Sequences of this length and no longer: of the tables of positions.
struct OnnxLimits {
  int64_t source, target;
};

/// ids [batch, source], lengths [batch] (int64, at least 1) -> memory [batch, source, D]. What
/// stands behind a length is not read.
void build_encoder(OnnxGraph& graph, TransformerSeq2Seq& model, const OnnxLimits& limits);

/// ids [batch, target] (int64, of one length), memory and lengths as above -> log_probs [batch, V]
/// of what comes next, and attention [batch, layers, heads, source] to the source there.
void build_decoder_step(OnnxGraph& graph, TransformerSeq2Seq& model, const OnnxLimits& limits);

}  // namespace weft
