// A trained model for programs that read ONNX, and a page that translates with it in a browser
// (docs/export.md).
#pragma once

#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>

namespace weft {

/// Writes into `dir`, which is made if need be: encoder.onnx, decoder_step.onnx, vocabulary.json,
/// decoding.json (special ids and limits of length), and a page. Weights are float32 there; those
/// of float64 are rounded. Errors: a model of more than 2 GiB; a file that cannot be written.
void export_onnx(TransformerSeq2Seq& model, const Vocabulary& vocabulary,
                 const std::filesystem::path& dir);

}  // namespace weft
