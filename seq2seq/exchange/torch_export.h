// A trained model for PyTorch: what load_torch_model() (models/torch_model.h) reads, and
// torch.nn.Transformer.load_state_dict() takes (docs/pytorch.md).
#pragma once

#include <weft/seq2seq/models/transformer_seq2seq.h>
#include <weft/seq2seq/text/vocabulary.h>

#include <filesystem>

namespace weft {

/// Writes into `dir`, which is made if need be: model.safetensors, config.json with the arguments
/// of torch.nn.Transformer, and vocabulary.json. Matrices that are tied stand there under each of
/// their names; an output layer without a bias has one of zeros. Errors: a part that
/// torch.nn.Transformer does not have; a file that cannot be written.
void export_torch(const TransformerSeq2Seq& model, const Vocabulary& vocabulary,
                  const std::filesystem::path& dir);

}  // namespace weft
